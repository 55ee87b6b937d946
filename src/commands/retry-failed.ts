import { createProgress, type LogMode } from '../run/progress.ts'
import { retryFailed } from '../run/retry-failed.ts'
import { storedConfig } from '../run/stored-config.ts'
import { openManifest } from '../store/run-manifest.ts'
import { collect, logOption, positiveInt, type RegisterCommand } from './command.ts'

interface Flags {
  readonly set: string[]
  readonly workers?: number
  readonly log: LogMode
  readonly verifyInputs?: true
  readonly json?: true
}

/** `groundmill retry-failed`. */
export const registerRetryFailed: RegisterCommand = (program, io) => {
  program
    .command('retry-failed')
    .description(
      'Try the rows again that were lost for a reason that may have passed (time-outs, 5xx, busy or ' +
        'unreachable hosts). A shard that gains or changes rows gets a new version; until it is there ' +
        'the old one stays valid.',
    )
    .argument('<dir>', 'run folder')
    .option(
      '--set <key=value>',
      'override an option that does not change output, e.g. --set fetch.deadlineMs=60000',
      collect,
      [],
    )
    .option('--workers <n>', 'shards worked on at once', positiveInt)
    .addOption(logOption)
    .option('--verify-inputs', 'compare all bytes of local inputs with those of the plan')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  groundmill retry-failed runs/cc12m --set fetch.deadlineMs=60000',
    )
    .action(async (dir: string, flags: Flags) => {
      const settings = [
        ...flags.set,
        ...(flags.workers === undefined ? [] : [`run.shardsInFlight=${flags.workers}`]),
      ]
      const config = storedConfig(dir, await openManifest(dir), settings)
      const progress = createProgress(io.stderr, flags.log)
      const { signal } = io
      const { verifyInputs = false } = flags
      const result = await retryFailed(config, dir, { verifyInputs, progress, signal })
      if (flags.json) {
        io.stdout.write(`${JSON.stringify({ dir, ...result })}\n`)
      } else {
        const left = Object.entries(result.left)
        const lines = [
          `tried again  ${result.rows} rows`,
          `recovered    ${result.recovered}`,
          `new versions ${result.shards.length} shards`,
          ...(left.length === 0 ? [] : ['may be tried again']),
          ...left.map(([code, count]) => `  ${code.padEnd(22)} ${String(count).padStart(8)}`),
        ]
        io.stdout.write(`${lines.join('\n')}\n`)
      }
    })
}
