// After the summary: what was not run, and why. Reasons are those of `test.skip('reason')`, the descriptions
// of tags that `--tags-filter` left out, and what a test file says on stderr in a line with SKIPPED.

import type { UserConsoleLog } from 'vitest'
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'

const SAID = /^SKIPPED: (.*)$/gm

/** Lists skipped tests by reason; those without one by name. */
export class SkippedReporter implements Reporter {
  readonly #said = new Set<string>()
  #tags = new Map<string, string>()

  onInit({ config }: Vitest): void {
    if (config.tagsFilter === undefined) return
    this.#tags = new Map(config.tags.map(({ name, description = name }) => [name, description]))
  }

  onUserConsoleLog({ content }: UserConsoleLog): void {
    for (const [, reason] of content.matchAll(SAID)) this.#said.add(reason!)
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const byReason = new Map<string, number>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const reason = this.#reasonOf(test)
        byReason.set(reason, (byReason.get(reason) ?? 0) + 1)
      }
    }
    if (byReason.size === 0) return
    const lines = [...byReason].map(
      ([reason, count]) => `${String(count).padStart(6)}  ${reason}\n`,
    )
    process.stdout.write(`\n Skipped, and why\n${lines.join('')}\n`)
  }

  #reasonOf(test: TestCase): string {
    const { note } = test.result() as { note?: string }
    const tag = test.tags.find((name) => this.#tags.has(name))
    if (note !== undefined) return note
    if (tag !== undefined) return this.#tags.get(tag)!
    // Whoever skips at the top of a file says why before the first test.
    return [...this.#said].join(', or ') || `no reason given: ${test.fullName}`
  }
}
