import fs from 'node:fs/promises'
import { Option } from 'commander'
import { ODVG_DIALECTS, type OdvgDialect } from '../core/dialects.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { createTokenizer, parseVocab } from '../teacher/glip/tokenizer.ts'
import type { Finding, Place } from '../validate/findings.ts'
import type { TokenStarts } from '../validate/odvg.ts'
import {
  validate,
  VALIDATE_FORMATS,
  type ValidateFormat,
  type ValidationReport,
} from '../validate/validate.ts'
import { CONTRACT_FORMATS, type RegisterCommand } from './command.ts'

interface Flags {
  readonly format: string
  readonly dialect?: OdvgDialect
  readonly labelMap?: string
  readonly vocab?: string
  readonly json?: true
}

/** Bad input, as sysexits.h has it. */
const EXIT_UNUSABLE = 65

export const registerValidate: RegisterCommand = (program, io, finish) => {
  program
    .command('validate')
    .description("What a trainer's loader would do with an annotation file.")
    .argument('<target>', 'file, or folder of an export')
    .requiredOption('--format <format>', VALIDATE_FORMATS.join(' or '))
    .addOption(
      new Option(
        '--dialect <dialect>',
        'loader of odvg files; default: that of the export in the folder, else mmdet',
      ).choices(ODVG_DIALECTS),
    )
    .option('--label-map <file>', 'of odvg detections; default: label_map.json of the folder')
    .option(
      '--vocab <file>',
      "the trainer's BERT vocab.txt, to count tokens exactly; default: one per word, a lower bound",
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExits with 65 if the loader would crash or train on something else than the file means.\n' +
        '\nExample:\n  groundmill validate demo-run/export/odvg --format odvg --dialect open-groundingdino',
    )
    .action(async (target: string, flags: Flags) => {
      const format = formatOf(flags.format)
      for (const key of ['dialect', 'labelMap', 'vocab'] as const) {
        if (format === 'odvg' || flags[key] === undefined) continue
        const option = key === 'labelMap' ? 'label-map' : key
        throw new ConfigError(
          `--${option} has a meaning with --format odvg only, not with ${format}`,
        )
      }
      const { dialect, labelMap } = flags
      const report = await validate({
        target,
        format,
        ...(dialect === undefined ? {} : { dialect }),
        ...(labelMap === undefined ? {} : { labelMap }),
        tokenStarts: await tokenStartsOf(flags.vocab),
      })
      io.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : formatReport(report))
      finish(report.isUsable ? 0 : EXIT_UNUSABLE)
    })
}

function formatOf(name: string): ValidateFormat {
  const format = VALIDATE_FORMATS.find((known) => known === name)
  if (format !== undefined) return format
  throw new ConfigError(
    CONTRACT_FORMATS.includes(name)
      ? `--format ${name} is not available yet; there are ${VALIDATE_FORMATS.join(', ')}`
      : `--format ${name} is unknown; there are ${VALIDATE_FORMATS.join(', ')}`,
  )
}

/** With these entries alone every word is one [UNK]: BERT's own count is never below. */
const WORDS_ALONE = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']

async function tokenStartsOf(vocab: string | undefined): Promise<TokenStarts> {
  try {
    const entries = vocab === undefined ? WORDS_ALONE : parseVocab(await fs.readFile(vocab, 'utf8'))
    const tokenizer = createTokenizer(entries)
    return (text) => tokenizer.encode(text).starts
  } catch (error) {
    throw new ConfigError(`--vocab ${vocab}: ${messageOf(error)}`, { cause: error })
  }
}

function formatReport(report: ValidationReport): string {
  const { target, format, dialect, files, records, findings } = report
  const head =
    `${target}: ${format}${dialect === undefined ? '' : ` for ${dialect}`}, ` +
    `${plural(files, 'file')}, ${plural(records, 'image')}\n`
  const errors = findings.filter(({ level }) => level === 'error').length
  const tail = report.isUsable
    ? `usable: no errors, ${plural(findings.length, 'warning')}\n`
    : `not usable: ${plural(errors, 'error')}, ${plural(findings.length - errors, 'warning')}\n`
  return head + findings.map(formatFinding).join('') + tail
}

function formatFinding({ level, code, count, effect, loader, advice, places }: Finding): string {
  const more = count > places.length ? [`    ... and ${count - places.length} more`] : []
  const lines = [
    `${level} ${code} (${count} x, ${EFFECTS[effect]})`,
    `    the loader: ${loader}`,
    `    what to do: ${advice}`,
    ...places.map((place) => `    ${formatPlace(place)}`),
    ...more,
  ]
  return `${lines.join('\n')}\n`
}

const EFFECTS: Readonly<Record<Finding['effect'], string>> = {
  crash: 'crashes',
  wrong: 'silently wrong',
  risk: 'may be wrong',
  drop: 'drops data',
  none: 'copes',
}

function formatPlace({ file, line, record, detail }: Place): string {
  const where = `${file}${line === undefined ? '' : `:${line}`}`
  return `${where}${record === undefined ? '' : ` ${record}`}: ${detail}`
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
