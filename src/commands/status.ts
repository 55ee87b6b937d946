import { formatSummary } from '../run/format-summary.ts'
import { readFailures, summarize } from '../run/summary.ts'
import { openManifest } from '../store/run-manifest.ts'
import { readCommits } from '../store/shards.ts'
import type { RegisterCommand } from './command.ts'

export const registerStatus: RegisterCommand = (program, io, finish) => {
  program
    .command('status')
    .description('Progress, rates, losses by reason and failed shards of a run.')
    .argument('<dir>', 'run folder')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  groundmill status demo-run --json')
    .action(async (dir: string, flags: { readonly json?: true }) => {
      const manifest = await openManifest(dir)
      const commits = await readCommits(dir)
      const summary = summarize(manifest, commits)
      const failedShards = await readFailures(dir, commits)
      if (flags.json) {
        io.stdout.write(`${JSON.stringify({ dir, ...summary, failedShards })}\n`)
      } else {
        const failures = failedShards.map(({ shard, at, error }) => `  ${shard}  ${at}  ${error}\n`)
        const table = failures.length === 0 ? '' : `failed shards\n${failures.join('')}`
        io.stdout.write(formatSummary(dir, summary) + table)
      }
      finish(0)
    })
}
