import { givenKeys, loadConfig } from '../config.ts'
import type { ExportSummary } from '../export/export-record.ts'
import { exportRun } from '../export/export-run.ts'
import { EXPORT_FORMATS, refuseForeignOptions } from '../export/formats/index.ts'
import { collect, type RegisterCommand } from './command.ts'
import { describeFormats, dialectOption, formatNamed } from './format-options.ts'

interface Flags {
  readonly format: string
  readonly dialect?: string
  readonly to: string
  readonly config?: string
  readonly minScore?: string
  readonly set: string[]
  readonly overwrite?: true
  readonly json?: true
}

/** `groundmill export`. */
export const registerExport: RegisterCommand = (program, io) => {
  program
    .command('export')
    .description(
      'Filter the candidates of a run and write training files. Never runs the teacher; of a run that ' +
        'is not complete it takes the shards that are.',
    )
    .argument('<dir>', 'run folder')
    .requiredOption('--format <format>', 'what to write, see below')
    .addOption(dialectOption(EXPORT_FORMATS))
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
      `${describeFormats(EXPORT_FORMATS)}\nExample:\n  groundmill export demo-run --format odvg --dialect mmdet --to demo-run/export/odvg`,
    )
    .action(async (runDir: string, flags: Flags) => {
      const { to, dialect } = flags
      const format = formatNamed(flags, EXPORT_FORMATS)
      const settings = [
        ...flags.set,
        ...(flags.minScore === undefined ? [] : [`filter.score=${flags.minScore}`]),
      ]
      const { filter, balance, export: options } = await loadConfig(flags.config, settings)
      // A recipe is made for several formats; what is set here is meant for this one.
      refuseForeignOptions(format, givenKeys('export', settings))
      const overwrite = flags.overwrite === true
      const summary = await exportRun(
        { runDir, to, overwrite, format, dialect, filter, balance, options },
        io.signal,
      )
      io.stdout.write(
        flags.json ? `${JSON.stringify({ to, ...summary })}\n` : formatSummary(to, summary),
      )
      const { committed, planned } = summary.shards
      if (committed < planned) {
        io.stderr.write(
          `groundmill: the run is not complete: exported ${committed} of ${planned} shards; ` +
            'export again with --overwrite when the others are done\n',
        )
      }
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
