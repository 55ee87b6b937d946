// A caption data set: files of one format, their rows numbered through, planned into shards and
// read from any of them.

import { ConfigError, InputError, ShardError, cleanDetail } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import type { Json, Shard, SourceRow } from '../../core/types.ts'
import { fetchOptionsSchema, type FetchOptions } from '../fetch/options.ts'
import { presetOf, type SourceOptions, type SourceType } from './options.ts'
import { folderOf, isRemote } from './files/addresses.ts'
import type { FilesDeps, SourceStore } from './files/files.ts'
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
 * @param fetch how remote files are had: the guard of `fetch:` holds for https:// too
 * @throws ConfigError if files or columns cannot be found, InputError if no file can be read
 */
export async function openSource(
  options: SourceOptions,
  signal: AbortSignal,
  fetch: FetchOptions = fetchOptionsSchema.parse({}),
  deps: FilesDeps = {},
): Promise<CaptionSource> {
  const store = createSourceStore(fetch, options.s3, deps)
  let gate: RowGate | undefined
  try {
    gate = await openRowGate(options.allowList, signal)
    return toSource(await openFiles(options, store, signal), options, store, gate)
  } catch (error) {
    await gate?.close()
    await store.close()
    throw error
  }
}

function toSource(
  opened: Opened,
  options: SourceOptions,
  store: SourceStore,
  gate: RowGate | undefined,
): CaptionSource {
  const { files, format, columns, identity, imageRootOf } = opened
  const { captionIndex, phraseUnits, maxImageBytes } = options
  return {
    identity: { ...identity, ...gate?.identity },
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
          const rejected = 'code' in raw ? raw : await gate?.check(raw.fields)
          const mapped = 'code' in raw ? raw : (rejected ?? mapRow(raw.fields, mapping))
          yield 'code' in mapped
            ? { row, ...mapped, detail: cleanDetail(mapped.detail) }
            : { row, ...mapped }
          if (++row === shard.end) break
        }
      }
    },
    close: async () => {
      await gate?.close()
      await format.close?.()
      await store.close()
    },
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
  readonly identity: { readonly [key: string]: Json }
  /** Folder that the image paths of a file's rows are relative to. */
  readonly imageRootOf: (file: string) => string
}

async function openFiles(
  given: SourceOptions,
  store: SourceStore,
  signal: AbortSignal,
): Promise<Opened> {
  const options = withPreset(given)
  const type = options.type ?? (await guessType(options.files, store, signal))
  if (type === 'folder') return openFolder(options, store, signal)

  const files = await listFiles(options.files, ENDINGS[type], store, signal)
  const probe = createFormat(type, [], options, store)
  const columns = await resolveColumns(type, files, options, probe, signal).finally(() =>
    probe.close?.(),
  )
  const { url, image, caption, phrases, status, keep } = columns
  const statusColumns = status === undefined ? [] : [status, ERROR_MESSAGE]
  const wanted = [
    url,
    image,
    caption,
    phrases,
    ...statusColumns,
    ...keep,
    options.allowList?.column,
  ]
  const format = createFormat(
    type,
    wanted.filter((name) => name !== undefined),
    options,
    store,
  )
  return {
    files,
    format,
    columns,
    identity: {
      type,
      columns: { ...columns },
      ...(await identify(
        await withCompanions(companionOf(type, columns), files, store, signal),
        store,
        signal,
      )),
    },
    imageRootOf: (file) => options.imageRoot ?? folderOf(file),
  }
}

async function openFolder(
  options: SourceOptions,
  store: SourceStore,
  signal: AbortSignal,
): Promise<Opened> {
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
    const type = await guessType([metadata], store, signal)
    return openFiles({ ...options, type, files: [metadata], columns }, store, signal)
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

/** The file beside each file that decides about its rows too. */
function companionOf(
  type: SourceType,
  { keep }: ColumnMapping,
): ((file: string) => string) | undefined {
  if (type === 'img2dataset') return statusFileOf
  const hasBoxes = keep.some((name) => /^boxes(\.|$)/.test(name))
  return type === 'flickr30k-entities' && hasBoxes ? annotationFileOf : undefined
}

/** With their companions that are there. */
async function withCompanions(
  companion: ((file: string) => string) | undefined,
  files: readonly string[],
  store: SourceStore,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (companion === undefined) return files
  const found: string[] = [...files]
  for (const file of files.map(companion)) {
    const exists = await store.describe(file, signal).then(
      () => true,
      (error: unknown) => {
        if (error instanceof InputError) return false
        throw error
      },
    )
    if (exists) found.push(file)
  }
  return found
}

function createFormat(
  type: Exclude<SourceType, 'folder'>,
  wanted: readonly string[],
  options: SourceOptions,
  store: SourceStore,
): SourceFormat {
  // A column "a.b" lies inside the column a.
  const tops = wanted.flatMap((name) => [name, name.replace(/\..*$/, '')])
  switch (type) {
    case 'parquet':
      return createParquetFormat(store, tops)
    case 'arrow':
      return createArrowFormat(store, tops)
    case 'img2dataset':
      return createImg2datasetFormat(store, wanted, options)
    case 'json':
      return createJsonFormat(store, tops, options)
    case 'flickr30k-entities':
      return createEntitiesFormat(store, tops, options)
    case 'webdataset':
      return createWebDatasetFormat(store, wanted, options)
    case 'tsv':
    case 'csv':
    case 'jsonl':
    case 'flickr30k':
      return createTextFormat(store, type, options)
  }
}
