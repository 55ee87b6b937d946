// Finds the annotation files of a target and checks each against one loader.

import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { ODVG_DIALECTS, type OdvgDialect } from '../core/dialects.ts'
import { ConfigError, InputError, messageOf } from '../core/errors.ts'
import { checkCocoFile, checkCocoFolder, createCocoFindings, type CocoFileFacts } from './coco.ts'
import type { Finding } from './findings.ts'
import { checkLabelMap, checkOdvgFile, createOdvgFindings, type TokenStarts } from './odvg.ts'
import { parsePythonJson } from './python-json.ts'

export const VALIDATE_FORMATS = ['odvg', 'coco'] as const
export type ValidateFormat = (typeof VALIDATE_FORMATS)[number]

export interface ValidateRequest {
  /** An annotation file, or a folder of them. */
  readonly target: string
  readonly format: ValidateFormat
  /** Of ODVG; absent: that of the export in the folder, else mmdet. */
  readonly dialect?: OdvgDialect
  /** Of ODVG detections; absent: label_map.json of the folder, if it is there. */
  readonly labelMap?: string
  readonly tokenStarts: TokenStarts
}

export interface ValidationReport {
  readonly target: string
  readonly format: ValidateFormat
  readonly dialect?: OdvgDialect
  readonly files: number
  /** Images. */
  readonly records: number
  readonly findings: readonly Finding[]
  /** False if the loader would crash or train on something else than the file means. */
  readonly isUsable: boolean
}

interface Target {
  /** What names in findings are relative to. */
  readonly root: string
  /** Relative to it, sorted. */
  readonly files: readonly string[]
  readonly labelMap: string | undefined
  readonly dialect: OdvgDialect | undefined
}

/**
 * Memory: one line of an ODVG file; one whole COCO file.
 *
 * @throws InputError if there is nothing to check, or a file is too large; ConfigError if the folder is
 *   an export of another format
 */
export async function validate(request: ValidateRequest): Promise<ValidationReport> {
  const { target, format } = request
  const found = await findFiles(target, format)
  if (format === 'coco') return { target, format, ...(await validateCoco(found)) }
  const dialect = request.dialect ?? found.dialect ?? 'mmdet'
  const labelMap = request.labelMap ?? found.labelMap
  const result = await validateOdvg(found, dialect, labelMap, request.tokenStarts)
  return { target, format, dialect, ...result }
}

type Result = Pick<ValidationReport, 'files' | 'records' | 'findings' | 'isUsable'>

function resultOf(files: number, records: number, findings: readonly Finding[]): Result {
  return { files, records, findings, isUsable: findings.every(({ level }) => level !== 'error') }
}

async function validateCoco({ root, files }: Target): Promise<Result> {
  const findings = createCocoFindings()
  const facts: CocoFileFacts[] = []
  for (const file of files) {
    const one = await checkCocoFile(path.join(root, file), file, findings)
    if (one !== undefined) facts.push(one)
  }
  checkCocoFolder(facts, findings)
  const images = facts.reduce((sum, one) => sum + one.images, 0)
  return resultOf(files.length, images, findings.list())
}

/** Loaders read a file whole; beyond this it is worth saying so. */
const LARGE_BYTES = 1024 ** 3

async function validateOdvg(
  { root, files }: Target,
  dialect: OdvgDialect,
  labelMap: string | undefined,
  tokenStarts: TokenStarts,
): Promise<Result> {
  const findings = createOdvgFindings(dialect)
  const labels =
    labelMap === undefined
      ? undefined
      : (checkLabelMap(await readLabelMap(labelMap), labelMap, dialect, findings) ?? {})
  const options = { dialect, tokenStarts, ...(labels === undefined ? {} : { labels }) }
  let records = 0
  for (const file of files) {
    const full = path.join(root, file)
    const { size } = await fs.stat(full)
    if (size > LARGE_BYTES) {
      findings.add('file_large', { file, detail: `${Math.round(size / 2 ** 20)} MB` })
    }
    records += await checkOdvgFile(full, file, options, findings)
  }
  return resultOf(files.length, records, findings.list())
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

async function findFiles(target: string, format: ValidateFormat): Promise<Target> {
  const stat = await fs.stat(target).catch((error: unknown) => {
    throw new InputError(`${target}: ${messageOf(error)}`, { cause: error })
  })
  if (!stat.isDirectory()) {
    const [root, file] = [path.dirname(target), path.basename(target)]
    return { root, files: [file], labelMap: undefined, dialect: undefined }
  }
  const dialect = await dialectOfExport(target, format)
  const names = await namesIn(target)
  const inner = names.includes('annotations')
    ? (await namesIn(path.join(target, 'annotations'))).map((name) => `annotations/${name}`)
    : []
  const files = [...names, ...inner].filter((name) => isAnnotationFile(name, format)).sort()
  if (files.length === 0) {
    throw new InputError(
      `${target}: no ${format === 'odvg' ? '.jsonl' : '.json'} file in it or in its annotations/`,
    )
  }
  const hasLabelMap = format === 'odvg' && names.includes(LABEL_MAP)
  const labelMap = hasLabelMap ? path.join(target, LABEL_MAP) : undefined
  return { root: target, files, labelMap, dialect }
}

const LABEL_MAP = 'label_map.json'

async function namesIn(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true })
  return entries.map(({ name }) => name)
}

/** mmdetection's converters call JSON Lines `*_od.json` and `*_vg.json`. */
function isAnnotationFile(name: string, format: ValidateFormat): boolean {
  const base = path.basename(name)
  if (['export.json', 'dropped.jsonl', LABEL_MAP].includes(base)) return false
  const isLines = /\.jsonl$|_(?:od|vg)\.json$/.test(base)
  return format === 'odvg' ? isLines : base.endsWith('.json') && !isLines
}

/** What our own exports say about themselves. */
async function dialectOfExport(
  folder: string,
  format: ValidateFormat,
): Promise<OdvgDialect | undefined> {
  const file = path.join(folder, 'export.json')
  const text = await fs.readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const schema = z.object({ format: z.string(), dialect: z.enum(ODVG_DIALECTS).optional() })
  let record: z.output<typeof schema>
  try {
    record = schema.parse(JSON.parse(text))
  } catch {
    return undefined // not one of ours: the annotation files speak for themselves
  }
  if (record.format !== format) {
    throw new ConfigError(`${folder} is an export with --format ${record.format}, not ${format}`)
  }
  return record.dialect
}
