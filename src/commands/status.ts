import { formatSummary } from '../run/format-summary.ts'
import { readFailures, summarize } from '../run/summary.ts'
import { openManifest } from '../store/run-manifest.ts'
import { readCommits } from '../store/shards.ts'
import type { RegisterCommand } from './command.ts'

interface DamagedShard {
  readonly shard: number
  readonly error: string
}

export const registerStatus: RegisterCommand = (program, io, finish) => {
  program
    .command('status')
    .description(
      'Progress, rates, losses by reason and failed shards of a run, also while it runs.',
    )
    .argument('<dir>', 'run folder')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  groundmill status demo-run --json')
    .action(async (dir: string, flags: { readonly json?: true }) => {
      const manifest = await openManifest(dir)
      const damagedShards: DamagedShard[] = []
      const commits = await readCommits(dir, (shard, { message }) => {
        damagedShards.push({ shard, error: message })
      })
      const summary = summarize(manifest, commits)
      const failedShards = await readFailures(dir, commits)
      if (flags.json) {
        const report = { dir, ...summary, failedShards, damagedShards }
        io.stdout.write(`${JSON.stringify(report)}\n`)
      } else {
        const failed = failedShards.map(({ shard, at, error }) => `  ${shard}  ${at}  ${error}\n`)
        io.stdout.write(formatSummary(dir, summary) + table('failed shards', failed))
      }
      for (const { error } of damagedShards) io.stderr.write(`groundmill: ${error}\n`)
      finish(damagedShards.length === 0 ? 0 : 65)
    })
}

function table(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${lines.join('')}`
}
