// groundmill run: a config file to a labelled run folder, or to what would be done.

import path from 'node:path'
import YAML from 'yaml'
import { loadConfig, type Config } from '../config.ts'
import { createProgress, type LogMode } from '../run/progress.ts'
import { planDataset, runDataset, type DryRun } from '../run/run.ts'
import { formatSummary } from '../run/format-summary.ts'
import { collect, logOption, positiveInt, type RegisterCommand } from './command.ts'

interface Flags {
  readonly out?: string
  readonly set: string[]
  readonly limit?: number
  readonly workers?: number
  readonly log: LogMode
  readonly verifyInputs?: true
  readonly dryRun?: true
  readonly json?: true
}

/** `groundmill run`; exit code 1 if shards are left. */
export const registerRun: RegisterCommand = (program, io) => {
  program
    .command('run')
    .description('Label a caption dataset. The same command again resumes.')
    .argument('<config>', 'YAML file, see configs/')
    .option('--out <dir>', 'run folder; default: runs/<name of the config>')
    .option('--set <key=value>', 'override one option, e.g. --set teacher.batchSize=4', collect, [])
    .option('--limit <rows>', 'label only the first rows of the source', positiveInt)
    .option('--workers <n>', 'shards worked on at once', positiveInt)
    .addOption(logOption)
    .option(
      '--verify-inputs',
      'when resuming, compare all bytes of local inputs with those of the plan',
    )
    .option('--dry-run', 'print the resolved config and the plan, write nothing')
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  groundmill run configs/demo.yaml --out demo-run --limit 100',
    )
    .action(async (file: string, flags: Flags) => {
      const { set, limit, workers, out, log, dryRun, json, verifyInputs = false } = flags
      const settings = [
        ...set,
        ...(limit === undefined ? [] : [`run.limit=${limit}`]),
        ...(workers === undefined ? [] : [`run.shardsInFlight=${workers}`]),
      ]
      const config = await loadConfig(file, settings)
      const dir = out ?? path.join('runs', path.basename(file).replace(/\.ya?ml$/, ''))
      const progress = createProgress(io.stderr, log)
      const { signal } = io
      if (dryRun) {
        const planned = await planDataset(config, dir, { verifyInputs, progress, signal })
        const report = { dir, config, ...planned }
        io.stdout.write(json ? `${JSON.stringify(report)}\n` : formatDryRun(report))
        return
      }
      const summary = await runDataset(config, dir, progress, signal, { verifyInputs })
      io.stdout.write(
        json ? `${JSON.stringify({ dir, ...summary })}\n` : formatSummary(dir, summary),
      )
      io.finish(summary.isComplete ? 0 : 1)
    })
}

interface DryRunReport extends DryRun {
  readonly dir: string
  readonly config: Config
}

/** YAML, so that the configuration can be taken from it; what is planned is in comments. */
function formatDryRun({ dir, config, runId, plan, teacher, isBegun }: DryRunReport) {
  const { shards, rows } = plan
  const last = shards.at(-1)
  const lastRows = last === undefined ? 0 : last.end - last.start
  const state = isBegun ? 'begun already, would be resumed' : 'new'
  return [
    `# run      ${dir} (${runId}), ${state}`,
    `# teacher  ${teacher.id}, sha256 ${teacher.sha256}`,
    `# rows     ${rows}`,
    `# shards   ${shards.length} of ${config.run.samplesPerShard} rows, the last of ${lastRows}`,
    YAML.stringify(config),
  ].join('\n')
}
