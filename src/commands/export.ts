import { Option } from 'commander'
import { loadConfig } from '../config.ts'
import { ODVG_DIALECTS, type OdvgDialect } from '../core/dialects.ts'
import { ConfigError } from '../core/errors.ts'
import {
  EXPORT_FORMATS,
  exportRun,
  type ExportFormat,
  type ExportSummary,
} from '../export/export-run.ts'
import { collect, CONTRACT_FORMATS, type RegisterCommand } from './command.ts'

interface Flags {
  readonly format: string
  readonly dialect?: OdvgDialect
  readonly to: string
  readonly config?: string
  readonly minScore?: string
  readonly set: string[]
  readonly overwrite?: true
  readonly json?: true
}

export const registerExport: RegisterCommand = (program, io, finish) => {
  program
    .command('export')
    .description(
      'Filter the candidates of a run and write training files. Never runs the teacher; of a run that ' +
        'is not complete it takes the shards that are.',
    )
    .argument('<dir>', 'run folder')
    .requiredOption('--format <format>', `one of ${EXPORT_FORMATS.join(', ')}`)
    .addOption(
      new Option('--dialect <dialect>', 'loader of odvg files; default: mmdet').choices(
        ODVG_DIALECTS,
      ),
    )
    .requiredOption('--to <dir>', 'folder to make')
    .option('--config <file>', 'recipe with filter:, balance: and export: sections')
    .option('--min-score <score>', 'the same as --set filter.score=<score>')
    .option(
      '--set <key=value>',
      'override one option, e.g. --set export.layout=sharded',
      collect,
      [],
    )
    .option('--overwrite', 'replace an earlier export')
    .option('--json', 'print counts as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  groundmill export demo-run --format odvg --dialect mmdet --to demo-run/export/odvg',
    )
    .action(async (runDir: string, flags: Flags) => {
      const format = formatOf(flags.format)
      if (format !== 'odvg' && flags.dialect !== undefined) {
        throw new ConfigError(`--dialect has a meaning with --format odvg only, not with ${format}`)
      }
      const settings = [
        ...flags.set,
        ...(flags.minScore === undefined ? [] : [`filter.score=${flags.minScore}`]),
      ]
      const { filter, balance, export: options } = await loadConfig(flags.config, settings)
      const dialect = flags.dialect ?? 'mmdet'
      const overwrite = flags.overwrite === true
      const summary = await exportRun(
        { runDir, to: flags.to, overwrite, format, dialect, filter, balance, options },
        io.signal,
      )
      io.stdout.write(
        flags.json
          ? `${JSON.stringify({ to: flags.to, ...summary })}\n`
          : formatSummary(flags.to, summary),
      )
      const { committed, planned } = summary.shards
      if (committed < planned) {
        io.stderr.write(
          `groundmill: the run is not complete: exported ${committed} of ${planned} shards; ` +
            'export again with --overwrite when the others are done\n',
        )
      }
      finish(0)
    })
}

function formatSummary(to: string, { counts }: ExportSummary): string {
  const categories = counts.categories === 0 ? '' : `, ${counts.categories} categories`
  const total =
    `${to}: ${counts.samples} of ${counts.rows} images, ${counts.regions} regions of ` +
    `${counts.candidates} candidates, ${counts.phrases} phrases${categories}\n`
  const table = (what: string, dropped: Readonly<Record<string, number>>) =>
    Object.entries(dropped)
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .map(([reason, count]) => `  ${String(count).padStart(8)}  ${what} dropped: ${reason}\n`)
      .join('')
  return total + table('images', counts.droppedSamples) + table('boxes', counts.droppedCandidates)
}

function formatOf(name: string): ExportFormat {
  const format = EXPORT_FORMATS.find((known) => known === name)
  if (format !== undefined) return format
  throw new ConfigError(
    CONTRACT_FORMATS.includes(name)
      ? `--format ${name} is not available yet; there are ${EXPORT_FORMATS.join(', ')}`
      : `--format ${name} is unknown; there are ${EXPORT_FORMATS.join(', ')}`,
  )
}
