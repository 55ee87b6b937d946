// Checks ODVG files (JSON Lines), with the label map of detections, against one loader.

import fs from 'node:fs/promises'
import path from 'node:path'
import { odvgDialect, type OdvgDialect } from '../core/dialects.ts'
import { InputError, messageOf } from '../core/errors.ts'
import { FileFindings, show, Spot } from './findings.ts'
import { isJsonLinesName, readJsonLines } from './json-lines.ts'
import { checkRecord } from './odvg-record.ts'
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
  let labels: Tree | undefined
  if (labelMap !== undefined) {
    const spot = new Spot(findings, { file: labelMap })
    labels = checkLabelMap(await readLabelMap(labelMap), { dialect, spot }) ?? {}
  }
  let records = 0
  for (const file of files) {
    const place = path.join(root, file)
    const { size } = await fs.stat(place)
    if (size > LARGE_BYTES) {
      findings.add('file_large', { file, detail: `${Math.round(size / 2 ** 20)} MB` })
    }
    const before = records
    for await (const line of readJsonLines(place)) {
      records++
      const spot = new Spot(findings, { file, line: line.line })
      if ('problem' in line) spot.say(line.problem, line.detail)
      else checkRecord(line.value, { dialect, tokenStarts, labels, spot })
    }
    if (records === before) findings.add('file_empty', { file, detail: 'no line' })
  }
  return { records, findings: findings.list() }
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
  { dialect, spot }: { readonly dialect: OdvgDialect; readonly spot: Spot<OdvgCode> },
): Tree | undefined {
  if (!isTree(map) || !Object.values(map).every((name) => typeof name === 'string')) {
    spot.say('label_map_invalid', show(map))
    return undefined
  }
  const entries = Object.entries(map as Readonly<Record<string, string>>)
  for (const [key] of entries)
    if (!/^\d+$/.test(key)) spot.say('label_map_keys', `key ${show(key)}`)
  if (!('0' in map) && entries.length > 0) spot.say('label_map_keys', 'no key "0"')
  const all = `\n${entries.map(([, name]) => name).join('\n')}\n`
  for (const [key, name] of entries) {
    const isOdd =
      dialect === 'mmdet' ? /[/_]|\(.*\)/.test(name) : all.indexOf(name) !== all.lastIndexOf(name)
    if (isOdd) spot.say('label_map_names', `${show(key)}: ${show(name)}`)
  }
  return map
}
