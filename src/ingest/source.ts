// A caption data set: files of one format, their rows numbered through, planned into shards and
// read from any of them.

import path from 'node:path'
import { ConfigError, InputError, ShardError, cleanDetail } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import type { ReasonCode } from '../core/reasons.ts'
import type { Json, Shard, SourceRow } from '../core/types.ts'
import { presetOf, sourceTypes, type SourceOptions, type SourceType } from './source-options.ts'
import {
  createFolderFormat,
  findMetadataFile,
  folderColumns,
  identifyFolder,
} from './source/folder.ts'
import type { SourceFormat } from './source/format.ts'
import { identify, listFiles } from './source/list-files.ts'
import { mapRow, type ColumnMapping } from './source/map-row.ts'
import { createParquetFormat } from './source/parquet.ts'
import { createTextFormat } from './source/text-rows.ts'
import { createWebDatasetFormat } from './source/webdataset.ts'

export interface CaptionSource {
  /** What the rows follow from: files with path, size, time and hash, columns, rules of reading. */
  readonly identity: Json
  /** Shards in order, ids from 0 and contiguous; as they become known, in bounded memory. */
  plan(samplesPerShard: number, signal: AbortSignal): AsyncIterable<Shard>
  /**
   * Exactly `shard.end - shard.start` items, in row order.
   *
   * @throws ShardError if the files cannot be read now or changed since the plan
   */
  read(shard: Shard, signal: AbortSignal): AsyncIterable<SourceRow | SourceReject>
  close(): Promise<void>
}

/** A row that cannot become a sample, told apart from a SourceRow by its code. */
export interface SourceReject {
  readonly row: number
  readonly code: ReasonCode
  /** At most 200 characters, without control characters. */
  readonly detail: string
  readonly url?: string
}

/**
 * Finds the files and their columns; no row is read yet.
 *
 * @throws ConfigError if files or columns cannot be found, InputError if no file can be read
 */
export async function openSource(
  options: SourceOptions,
  signal: AbortSignal,
): Promise<CaptionSource> {
  const { files, format, columns, identity, imageRootOf } = await openFiles(options, signal)
  const { captionIndex, phraseUnits, maxImageBytes } = options

  return {
    identity,
    plan: (samplesPerShard, planSignal) => plan(files, format, samplesPerShard, planSignal),
    read: async function* (shard, readSignal) {
      let row = shard.start
      const cursor = toCursor(shard.cursor)
      for (let index = cursor.file; row < shard.end; index++) {
        const file = files[index]
        if (file === undefined) {
          const missing = shard.end - row
          throw new ShardError(
            `shard ${shard.id} ends ${missing} rows early: the files changed since they were planned`,
          )
        }
        const imageRoot = imageRootOf(file)
        const mapping = { columns, captionIndex, phraseUnits, maxImageBytes, imageRoot }
        const position = index === cursor.file ? cursor.position : undefined
        for await (const raw of format.read(file, position, readSignal)) {
          const mapped = 'code' in raw ? raw : mapRow(raw.fields, mapping)
          yield 'code' in mapped
            ? { row, ...mapped, detail: cleanDetail(mapped.detail) }
            : { row, ...mapped }
          if (++row === shard.end) break
        }
      }
    },
    close: async () => format.close?.(),
  }
}

/** File number and the format's own position in it. */
interface Cursor {
  readonly file: number
  readonly position: Json
}

function toCursor(json: Json): Cursor {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    const { file, position } = json as Readonly<Record<string, Json>>
    if (typeof file === 'number' && position !== undefined) return { file, position }
  }
  throw new InputError(`${JSON.stringify(json)} is no cursor of a source`)
}

async function* plan(
  files: readonly string[],
  format: SourceFormat,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<Shard> {
  let id = 0
  let start = 0
  let cursor: Cursor | undefined
  let rowsBefore = 0
  for (const [index, file] of files.entries()) {
    // The file's rows on which a shard begins.
    const grid = { first: (size - (rowsBefore % size)) % size, stride: size }
    let rows = 0
    for await (const mark of format.marks(file, grid, signal)) {
      signal.throwIfAborted()
      if ('rows' in mark) {
        rows = mark.rows
        break
      }
      const end = rowsBefore + mark.row
      if (cursor !== undefined) yield { id: id++, start, end, cursor: { ...cursor } }
      start = end
      cursor = { file: index, position: mark.position }
    }
    rowsBefore += rows
  }
  if (cursor !== undefined) yield { id, start, end: rowsBefore, cursor: { ...cursor } }
}

interface Opened {
  readonly files: readonly string[]
  readonly format: SourceFormat
  readonly columns: ColumnMapping
  readonly identity: Json
  /** Folder that the image paths of a file's rows are relative to. */
  readonly imageRootOf: (file: string) => string
}

const ENDINGS: Readonly<Record<Exclude<SourceType, 'folder'>, readonly string[]>> = {
  parquet: ['.parquet'],
  tsv: ['.tsv', '.tsv.gz'],
  csv: ['.csv', '.csv.gz'],
  jsonl: ['.jsonl', '.ndjson', '.jsonl.gz', '.ndjson.gz'],
  webdataset: ['.tar'],
}

async function openFiles(given: SourceOptions, signal: AbortSignal): Promise<Opened> {
  const options = withPreset(given)
  const type = options.type ?? guessType(options.files)
  if (type === 'folder') return openFolder(options, signal)

  const files = await listFiles(options.files, ENDINGS[type])
  const columns = await resolveColumns(type, files, options, signal)
  const wanted = [columns.url, columns.image, columns.caption, columns.phrases, ...columns.keep]
  const format = createFormat(
    type,
    wanted.filter((name) => name !== undefined),
    options,
  )
  return {
    files,
    format,
    columns,
    identity: { type, columns: { ...columns }, ...(await identify(files, signal)) },
    imageRootOf: (file) => options.imageRoot ?? path.dirname(file),
  }
}

async function openFolder(options: SourceOptions, signal: AbortSignal): Promise<Opened> {
  const [folder] = options.files
  if (folder === undefined || options.files.length > 1) {
    throw new ConfigError('source.files: a source of the type folder is one folder')
  }
  const metadata = await findMetadataFile(folder)
  if (metadata !== undefined) {
    const columns = { ...options.columns, image: options.columns.image ?? 'file_name' }
    const type = guessType([metadata])
    return openFiles({ ...options, type, files: [metadata], columns }, signal)
  }
  return {
    files: [folder],
    format: createFolderFormat(options),
    columns: { ...folderColumns, keep: [] },
    identity: { type: 'folder', folder: await identifyFolder(folder, signal) },
    imageRootOf: (root) => root,
  }
}

/** The preset's type and columns where the config has none of its own. */
function withPreset(options: SourceOptions): SourceOptions {
  if (options.preset === undefined) return options
  const { type, columnNames, columns } = presetOf(options.preset)
  return {
    ...(type === undefined ? {} : { type }),
    ...(columnNames === undefined ? {} : { columnNames: [...columnNames] }),
    ...options,
    columns: { ...columns, ...options.columns },
  }
}

function guessType(files: readonly string[]): SourceType {
  const name = (files[0] ?? '').toLowerCase()
  const types = Object.keys(ENDINGS) as (keyof typeof ENDINGS)[] // the keys as declared
  const type = types.find((candidate) => ENDINGS[candidate].some((ending) => name.endsWith(ending)))
  if (type !== undefined) return type
  throw new ConfigError(
    `source.type: cannot tell the type of ${JSON.stringify(name)} by its ending; give one of ${sourceTypes.join(', ')}`,
  )
}

function createFormat(
  type: Exclude<SourceType, 'folder'>,
  wanted: readonly string[],
  options: SourceOptions,
): SourceFormat {
  // A column "a.b" lies inside the column a.
  const tops = wanted.flatMap((name) => [name, name.replace(/\..*$/, '')])
  switch (type) {
    case 'parquet':
      return createParquetFormat(tops)
    case 'webdataset':
      return createWebDatasetFormat(wanted, options)
    case 'tsv':
    case 'csv':
    case 'jsonl':
      return createTextFormat(type, options)
  }
}

const URLS = ['url', 'URL', 'image_url', 'img_url']
const IMAGES = ['image', 'file_name', 'image_path', 'filepath', 'jpg']
const CAPTIONS = ['caption', 'text', 'TEXT', 'txt', 'alt', 'top_caption']

/** The columns as configured, checked against the first file that can be read; or found by their names. */
async function resolveColumns(
  type: Exclude<SourceType, 'folder'>,
  files: readonly string[],
  options: SourceOptions,
  signal: AbortSignal,
): Promise<ColumnMapping> {
  const { path: file, columns: known } = await firstColumns(
    createFormat(type, [], options),
    files,
    signal,
  )
  const { keep, ...given } = options.columns
  const named = [...Object.entries(given), ...keep.map((name) => ['keep', name] as const)]
  for (const [role, name] of named) {
    if (name === undefined) continue
    if (type === 'jsonl' || type === 'webdataset') break // a row may lack what others have
    if (known.includes(name) || known.includes(name.replace(/\..*$/, ''))) continue
    const near = nearest(name, known)
    const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`
    throw new ConfigError(
      `source.columns.${role}: ${file} has no column ${JSON.stringify(name)}, but ${known.join(', ')}${hint}`,
    )
  }
  const find = (role: 'url' | 'image' | 'caption', names: readonly string[]) => {
    const found = names.filter((name) => known.includes(name))
    if (found.length < 2) return found[0]
    throw new ConfigError(
      `source.columns.${role}: ${file} has ${found.join(' and ')}; say which one it is`,
    )
  }
  const isTar = type === 'webdataset'
  const hasImage = given.url !== undefined || given.image !== undefined
  const image = hasImage ? given.image : isTar ? 'image' : find('image', IMAGES)
  const url = hasImage || isTar ? given.url : find('url', URLS)
  const caption =
    given.caption ?? (isTar && known.includes('txt') ? 'txt' : find('caption', CAPTIONS))
  const missing = caption === undefined ? 'caption' : (image ?? url) ? undefined : 'url (or image)'
  if (caption === undefined || missing !== undefined) {
    const has = known.length === 0 ? 'no rows' : `the columns ${known.join(', ')}`
    throw new ConfigError(`source.columns.${missing ?? 'caption'} is not set; ${file} has ${has}`)
  }
  if (image !== undefined && url !== undefined && !hasImage) {
    throw new ConfigError(`source.columns: ${file} has ${url} and ${image}; set url, image or both`)
  }
  return {
    ...(url === undefined ? {} : { url }),
    ...(image === undefined ? {} : { image }),
    caption,
    ...(given.phrases === undefined ? {} : { phrases: given.phrases }),
    keep,
  }
}

/** Of the first file that can be read; a damaged file among others gives a rejected row instead. */
async function firstColumns(
  format: SourceFormat,
  files: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly columns: readonly string[] }> {
  let failure: InputError | undefined
  for (const file of files) {
    try {
      const columns = await format.columns(file, signal)
      if (columns.length > 0 || file === files.at(-1)) return { path: file, columns }
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      failure ??= error
    }
  }
  throw failure ?? new InputError('source.files: no file can be read')
}
