// A caption data set: files of one format, their rows numbered through, planned into shards and
// read from any of them.

import { z } from 'zod'
import { ConfigError, InputError, ShardError, cleanDetail } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import type { Json, Shard, SourceRow } from '../../core/types.ts'
import { fetchOptionsSchema } from '../fetch/options.ts'
import {
  presets,
  type Preset,
  type SourceOptions,
  type SourceType,
  type TypedOptions,
} from './options.ts'
import { folderOf, isRemote } from './files/addresses.ts'
import {
  isThere,
  type Network,
  type SourceFile,
  type SourceFiles,
  type SourceStore,
} from './files/files.ts'
import { createSourceStore } from './files/source-store.ts'
import {
  createFolderFormat,
  findMetadataFile,
  folderColumns,
  identifyFolder,
} from './formats/folder.ts'
import type { SourceFormat } from './formats/format.ts'
import { identify, listFiles } from './files/list-files.ts'
import { ERROR_MESSAGE, mapRow, type ColumnMapping } from './map-row.ts'
import { createArrowFormat } from './formats/arrow.ts'
import { annotationFileOf, createEntitiesFormat } from './formats/flickr30k-entities.ts'
import { createImg2datasetFormat, statusFileOf } from './formats/img2dataset.ts'
import { createJsonFormat } from './formats/json-file.ts'
import { createParquetFormat } from './formats/parquet.ts'
import { resolveColumns } from './resolve-columns.ts'
import { openRowGate, type RowGate } from './row-gate.ts'
import { ENDINGS, guessType } from './source-type.ts'
import { createTextFormat } from './formats/text-rows.ts'
import { createWebDatasetFormat } from './formats/webdataset.ts'

/** Rows of caption pairs, numbered through from 0 whatever the number of files. */
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
 * @param network the guard of `fetch:` holds for https:// too
 * @throws ConfigError if files or columns cannot be found, InputError if no file can be read
 */
export async function openSource(
  options: SourceOptions,
  signal: AbortSignal,
  network: Network = { fetch: fetchOptionsSchema.parse({}) },
): Promise<CaptionSource> {
  const store = createSourceStore(options.s3, network)
  let gate: RowGate | undefined
  try {
    gate = await openRowGate(options.allowList, signal)
    const opened = await openFiles(withPreset(options), store.until(signal))
    return toSource({ ...opened, options, store, gate })
  } catch (error) {
    await gate?.close()
    await store.close()
    throw error
  }
}

/** What an open source is made of. */
interface Parts extends Opened {
  readonly options: SourceOptions
  readonly store: SourceStore
  readonly gate: RowGate | undefined
}

function toSource(parts: Parts): CaptionSource {
  const { identity, store, gate } = parts
  return {
    identity: { ...identity, ...gate?.identity },
    plan: (samplesPerShard, signal) => plan(parts, samplesPerShard, store.until(signal)),
    read: (shard, signal) => read(parts, shard, store.until(signal)),
    close: async () => {
      await gate?.close()
      await store.close()
    },
  }
}

/** File number and the format's own position in it. */
const cursorSchema = z.object({
  file: z.number(),
  position: z.custom<Json>((json) => json !== undefined),
})

async function* read(
  parts: Parts,
  shard: Shard,
  files: SourceFiles,
): AsyncGenerator<SourceRow | SourceReject> {
  const { paths, format, columns, gate, imageRootOf } = parts
  const { data: cursor } = cursorSchema.safeParse(shard.cursor)
  if (cursor === undefined) {
    throw new InputError(`${JSON.stringify(shard.cursor)} is no cursor of a source`)
  }
  let row = shard.start
  for (let index = cursor.file; row < shard.end; index++) {
    const path = paths[index]
    if (path === undefined) {
      const missing = shard.end - row
      throw new ShardError(
        `shard ${shard.id} ends ${missing} rows early: the files changed since they were planned`,
      )
    }
    const mapping = { ...parts.options, columns, imageRoot: imageRootOf(path) }
    const position = index === cursor.file ? cursor.position : undefined
    for await (const raw of format.read(files.file(path), position)) {
      const rejected = 'code' in raw ? raw : await gate?.check(raw.fields)
      const mapped = 'code' in raw ? raw : (rejected ?? mapRow(raw.fields, mapping))
      yield 'code' in mapped
        ? { row, ...mapped, detail: cleanDetail(mapped.detail) }
        : { row, ...mapped }
      if (++row === shard.end) break
    }
  }
}

async function* plan(
  { paths, format }: Opened,
  size: number,
  files: SourceFiles,
): AsyncGenerator<Shard> {
  let id = 0
  let start = 0
  let cursor: { file: number; position: Json } | undefined
  let rowsBefore = 0
  for (const [index, path] of paths.entries()) {
    // The file's rows on which a shard begins.
    const grid = { first: (size - (rowsBefore % size)) % size, stride: size }
    const file = files.file(path)
    let rows = 0
    for await (const mark of format.marks(file, grid)) {
      file.signal.throwIfAborted()
      if ('rows' in mark) {
        rows = mark.rows
        break
      }
      const end = rowsBefore + mark.row
      if (cursor !== undefined) yield { id: id++, start, end, cursor }
      start = end
      cursor = { file: index, position: mark.position }
    }
    rowsBefore += rows
  }
  if (cursor !== undefined) yield { id, start, end: rowsBefore, cursor }
}

interface Opened {
  readonly paths: readonly string[]
  readonly format: SourceFormat
  readonly columns: ColumnMapping
  readonly identity: { readonly [key: string]: Json }
  /** Folder that the image paths of a file's rows are relative to. */
  readonly imageRootOf: (path: string) => string
}

async function openFiles(given: SourceOptions, files: SourceFiles): Promise<Opened> {
  const type = given.type ?? (await guessType(given.files, files))
  if (type === 'folder') return openFolder(given, files)

  const options = { ...given, type }
  const paths = await listFiles(options.files, ENDINGS[type], files)
  const probe = createFormat([], options)
  const columns = await resolveColumns(options, probe, each(paths, files))
  const { url, image, caption, phrases, status, keep } = columns
  const statusColumns = status === undefined ? [] : [status, ERROR_MESSAGE]
  const listed = options.allowList?.column
  const wanted = [url, image, caption, phrases, ...statusColumns, ...keep, listed].filter(
    (name) => name !== undefined,
  )
  const companions = await companionsOf(type, columns, each(paths, files))
  return {
    paths,
    format: createFormat(wanted, options),
    columns,
    identity: {
      type,
      columns: { ...columns },
      ...(await identify([...paths, ...companions], files)),
    },
    imageRootOf: (path) => options.imageRoot ?? folderOf(path),
  }
}

function* each(paths: readonly string[], files: SourceFiles): Generator<SourceFile> {
  for (const path of paths) yield files.file(path)
}

async function openFolder(options: SourceOptions, files: SourceFiles): Promise<Opened> {
  const [folder] = options.files
  if (folder === undefined || options.files.length > 1) {
    throw new ConfigError('source.files: a source of the type folder is one folder')
  }
  if (isRemote(folder)) {
    throw new ConfigError(`source.type: folder is for a folder on this machine, not ${folder}`)
  }
  const metadata = await findMetadataFile(folder)
  if (metadata !== undefined) {
    const columns = { ...options.columns, image: options.columns.image ?? 'file_name' }
    const type = await guessType([metadata], files)
    return openFiles({ ...options, type, files: [metadata], columns }, files)
  }
  return {
    paths: [folder],
    format: createFolderFormat(options),
    columns: { ...folderColumns, keep: [] },
    identity: { type: 'folder', folder: await identifyFolder(files.file(folder)) },
    imageRootOf: (root) => root,
  }
}

/** The preset's type and columns where the config has none of its own. */
function withPreset(options: SourceOptions): SourceOptions {
  if (options.preset === undefined) return options
  const { type, columnNames, columns }: Preset = presets[options.preset]
  return {
    ...(type === undefined ? {} : { type }),
    ...(columnNames === undefined ? {} : { columnNames: [...columnNames] }),
    ...options,
    columns: { ...columns, ...options.columns },
  }
}

/** Files beside the files that decide about their rows too, as far as they are there. */
async function companionsOf(
  type: SourceType,
  { keep }: ColumnMapping,
  files: Iterable<SourceFile>,
): Promise<readonly string[]> {
  const hasBoxes = keep.some((name) => /^boxes(\.|$)/.test(name))
  const found: string[] = []
  for (const file of files) {
    let companion: SourceFile
    if (type === 'img2dataset') companion = statusFileOf(file)
    else if (type === 'flickr30k-entities' && hasBoxes) companion = annotationFileOf(file)
    else return []
    if (await isThere(companion)) found.push(companion.path)
  }
  return found
}

function createFormat(wanted: readonly string[], options: TypedOptions): SourceFormat {
  // A column "a.b" lies inside the column a.
  const tops = wanted.flatMap((name) => [name, name.replace(/\..*$/, '')])
  switch (options.type) {
    case 'parquet':
      return createParquetFormat(tops)
    case 'arrow':
      return createArrowFormat(tops)
    case 'img2dataset':
      return createImg2datasetFormat(wanted, options)
    case 'json':
      return createJsonFormat(tops, options)
    case 'flickr30k-entities':
      return createEntitiesFormat(tops, options)
    case 'webdataset':
      return createWebDatasetFormat(wanted, options)
    case 'tsv':
    case 'csv':
    case 'jsonl':
    case 'flickr30k':
      return createTextFormat(options.type, options)
  }
}
