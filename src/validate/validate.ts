// Finds the annotation files of a target and has them checked for one format.

import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { ConfigError, InputError, messageOf } from '../core/errors.ts'
import type { FileFinding } from './findings.ts'
import type { ValidatedFormat, ValidatorInput } from './validator.ts'

/** What to check, and for whom. */
export interface ValidateRequest extends Pick<ValidatorInput, 'options' | 'readTokenizer'> {
  /** An annotation file, or a folder of them. */
  readonly target: string
  readonly format: ValidatedFormat
  /** Absent: that of the export in the folder, else the format's first. */
  readonly dialect?: string | undefined
}

/** What the loader of a format would do with the files. */
export interface ValidationReport {
  readonly target: string
  readonly format: string
  /** Of a format with dialects. */
  readonly dialect: string | undefined
  readonly files: number
  /** Images. */
  readonly records: number
  readonly findings: readonly FileFinding[]
  /** False if the loader would crash or train on something else than the file means. */
  readonly isUsable: boolean
}

/**
 * Memory: what the format's validator states.
 *
 * @throws InputError if there is nothing to check, or a file is too large; ConfigError if the folder is
 *   an export of another format
 */
export async function validate(request: ValidateRequest): Promise<ValidationReport> {
  const { target, format, options, readTokenizer } = request
  const found = await findFiles(target, format)
  const known = format.dialects.find((name) => name === found.dialect)
  const dialect = request.dialect ?? known ?? format.dialects[0]
  const input = { ...found, dialect, options, readTokenizer }
  const { records, findings } = await format.validator.check(input)
  const isUsable = findings.every(({ level }) => level !== 'error')
  const files = found.files.length
  return { target, format: format.name, dialect, files, records, findings, isUsable }
}

type FoundFiles = Pick<ValidatorInput, 'root' | 'isFolder' | 'files'> & {
  /** That the export in the folder says it is for. */
  readonly dialect?: string | undefined
}

async function findFiles(target: string, format: ValidatedFormat): Promise<FoundFiles> {
  const stat = await fs.stat(target).catch((error: unknown) => {
    throw new InputError(`${target}: ${messageOf(error)}`, { cause: error })
  })
  if (!stat.isDirectory()) {
    return { root: path.dirname(target), isFolder: false, files: [path.basename(target)] }
  }
  const dialect = await dialectOfExport(target, format.name)
  const names = await fs.readdir(target)
  const inner = names.includes('annotations')
    ? (await fs.readdir(path.join(target, 'annotations'))).map((name) => `annotations/${name}`)
    : []
  const { validator } = format
  const files = [...names, ...inner]
    .filter((name) => !BESIDE_ANNOTATIONS.includes(path.basename(name)))
    .filter((name) => validator.isAnnotationFile(path.basename(name)))
    .sort()
  if (files.length === 0) {
    throw new InputError(`${target}: no ${validator.ending} file in it or in its annotations/`)
  }
  return { root: target, isFolder: true, files, dialect }
}

/** What lies beside the annotations of our own exports. */
const BESIDE_ANNOTATIONS = ['export.json', 'dropped.jsonl', 'label_map.json']

/** What our own exports say about themselves. */
async function dialectOfExport(folder: string, format: string): Promise<string | undefined> {
  const file = path.join(folder, 'export.json')
  const text = await fs.readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const schema = z.object({ format: z.string(), dialect: z.string().optional() })
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
