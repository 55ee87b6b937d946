// Checks ODVG files (JSON Lines), with the label map of detections, against one loader.

import fs from 'node:fs/promises'
import path from 'node:path'
import { odvgDialect, type OdvgDialect } from '../core/dialects.ts'
import { InputError, messageOf } from '../core/errors.ts'
import { FileFindings, sayOf, show } from './findings.ts'
import { isJsonLinesName, readJsonLines } from './json-lines.ts'
import { checkRecord, type OdvgReading } from './odvg-record.ts'
import { odvgRules, type OdvgCode } from './odvg-rules.ts'
import { isTree, parsePythonJson, type Tree } from './python-json.ts'
import type { CheckedFiles, Validator, ValidatorInput } from './validator.ts'

const LABEL_MAP = 'label_map.json'

/** Loaders read a file whole; beyond this it is worth saying so. */
const LARGE_BYTES = 1024 ** 3

/** Memory: one line. */
export const odvgValidator: Validator = {
  ending: '.jsonl',
  isAnnotationFile: isJsonLinesName,
  options: [
    {
      name: 'label-map',
      description: 'of odvg detections; default: label_map.json of the folder',
    },
    {
      name: 'vocab',
      description:
        "the trainer's BERT vocab.txt, to count tokens exactly; default: one per word, a lower bound",
    },
  ],
  check: checkOdvg,
}

async function checkOdvg(input: ValidatorInput): Promise<CheckedFiles> {
  const { root, files, options } = input
  const dialect = odvgDialect(input.dialect)
  const tokenStarts = await input.readTokenizer(options['vocab'])
  const findings = new FileFindings(odvgRules(dialect))
  const labelMap = options['label-map'] ?? (await labelMapBeside(input))
  const labels =
    labelMap === undefined
      ? {}
      : { labels: checkLabelMap(await readLabelMap(labelMap), labelMap, dialect, findings) ?? {} }
  let records = 0
  for (const file of files) {
    const { size } = await fs.stat(path.join(root, file))
    if (size > LARGE_BYTES) {
      findings.add('file_large', { file, detail: `${Math.round(size / 2 ** 20)} MB` })
    }
    records += await checkFile(root, file, { dialect, tokenStarts, ...labels }, findings)
  }
  return { records, findings: findings.list() }
}

/** @returns the number of records */
async function checkFile(
  root: string,
  file: string,
  reading: OdvgReading,
  findings: FileFindings<OdvgCode>,
): Promise<number> {
  let records = 0
  for await (const line of readJsonLines(path.join(root, file))) {
    records++
    const say = sayOf(findings, { file, line: line.line })
    if ('problem' in line) say(line.problem, line.detail)
    else checkRecord(line.value, reading, say)
  }
  if (records === 0) findings.add('file_empty', { file, detail: 'no line' })
  return records
}

async function labelMapBeside({ root, isFolder }: ValidatorInput): Promise<string | undefined> {
  if (!isFolder || !(await fs.readdir(root)).includes(LABEL_MAP)) return undefined
  return path.join(root, LABEL_MAP)
}

async function readLabelMap(file: string): Promise<unknown> {
  let text: string
  try {
    text = await fs.readFile(file, 'utf8')
  } catch (error) {
    throw new InputError(`label map ${file}: ${messageOf(error)}`, { cause: error })
  }
  try {
    return parsePythonJson(text)
  } catch (error) {
    return messageOf(error)
  }
}

/** @returns the names by label; undefined if the map is none */
function checkLabelMap(
  map: unknown,
  file: string,
  dialect: OdvgDialect,
  findings: FileFindings<OdvgCode>,
): Tree | undefined {
  const say = sayOf(findings, { file })
  if (!isTree(map) || !Object.values(map).every((name) => typeof name === 'string')) {
    say('label_map_invalid', show(map))
    return undefined
  }
  const entries = Object.entries(map as Readonly<Record<string, string>>)
  for (const [key] of entries) if (!/^\d+$/.test(key)) say('label_map_keys', `key ${show(key)}`)
  if (!('0' in map) && entries.length > 0) say('label_map_keys', 'no key "0"')
  const all = `\n${entries.map(([, name]) => name).join('\n')}\n`
  for (const [key, name] of entries) {
    const isOdd =
      dialect === 'mmdet' ? /[/_]|\(.*\)/.test(name) : all.indexOf(name) !== all.lastIndexOf(name)
    if (isOdd) say('label_map_names', `${show(key)}: ${show(name)}`)
  }
  return map
}
