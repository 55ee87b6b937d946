import fs from 'node:fs/promises'
import { Option } from 'commander'
import { ConfigError, messageOf } from '../core/errors.ts'
import { EXPORT_FORMATS } from '../export/formats/index.ts'
import { createTokenizer, parseVocab } from '../teacher/bert-tokenizer.ts'
import type { FileFinding, Place } from '../validate/findings.ts'
import { validate, type ValidationReport } from '../validate/validate.ts'
import type { TokenStarts } from '../validate/validator.ts'
import type { RegisterCommand } from './command.ts'
import {
  checkDialect,
  describeFormats,
  dialectOption,
  foreignOption,
  formatNamed,
} from './format-options.ts'

const FORMATS = EXPORT_FORMATS.flatMap(({ validator, ...format }) =>
  validator === undefined ? [] : [{ ...format, validator }],
)

/** Options that some validators have, by flag. */
const OPTIONS = new Map(
  FORMATS.flatMap(({ validator }) => validator.options).map(({ name, description }) => [
    name,
    new Option(`--${name} <file>`, description),
  ]),
)

/** Values of OPTIONS are here as well, under commander's name for them. */
interface Flags extends Readonly<Record<string, unknown>> {
  readonly format: string
  readonly dialect?: string
  readonly json?: true
}

/** Bad input, as sysexits.h has it. */
const EXIT_UNUSABLE = 65

/** `groundmill validate`. */
export const registerValidate: RegisterCommand = (program, io, finish) => {
  const command = program
    .command('validate')
    .description("What a trainer's loader would do with an annotation file.")
    .argument('<target>', 'file, or folder of an export')
    .requiredOption('--format <format>', 'what the file should be, see below')
    .addOption(dialectOption(FORMATS, 'that of the export in the folder, else '))
  for (const option of OPTIONS.values()) command.addOption(option)
  command
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      describeFormats(FORMATS) +
        '\nExits with 65 if the loader would crash or train on something else than the file means.\n' +
        '\nExample:\n  groundmill validate demo-run/export/odvg --format odvg --dialect open-groundingdino',
    )
    .action(async (target: string, flags: Flags) => {
      const { dialect } = flags
      const format = formatNamed(flags.format, FORMATS)
      checkDialect(dialect, format, FORMATS)
      const options = ownOptions(flags, format)
      const report = await validate({ target, format, dialect, options, readTokenizer })
      io.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : formatReport(report))
      finish(report.isUsable ? 0 : EXIT_UNUSABLE)
    })
}

/** @throws ConfigError for an option that other validators have */
function ownOptions(flags: Flags, format: (typeof FORMATS)[number]): Record<string, string> {
  const has = ({ validator }: typeof format, name: string) =>
    validator.options.some((option) => option.name === name)
  const own: Record<string, string> = {}
  for (const [name, option] of OPTIONS) {
    const value = flags[option.attributeName()]
    if (typeof value !== 'string') continue
    if (!has(format, name)) {
      throw foreignOption(
        name,
        format,
        FORMATS.filter((one) => has(one, name)),
      )
    }
    own[name] = value
  }
  return own
}

/** With these entries alone every word is one [UNK]: BERT's own count is never below. */
const WORDS_ALONE = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']

async function readTokenizer(vocab?: string): Promise<TokenStarts> {
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

function formatFinding({
  level,
  code,
  count,
  effect,
  loader,
  advice,
  places,
}: FileFinding): string {
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

const EFFECTS: Readonly<Record<FileFinding['effect'], string>> = {
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
