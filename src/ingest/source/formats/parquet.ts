// Parquet: planned from the footer alone, read in windows of a row group, so that memory does not
// grow with the group and neighbouring shards share what was decoded.

import { parquetMetadataAsync, parquetScan, parquetSchema } from 'hyparquet'
import type { AsyncBuffer, Compressors, FileMetaData, ParquetParsers, RowGroup } from 'hyparquet'
import { compressors as allCompressors } from 'hyparquet-compressors'
import { ShardError, messageOf } from '../../../core/errors.ts'
import { createCache } from '../../../system/cache.ts'
import { shortPath } from '../files/addresses.ts'
import type { SourceFile } from '../files/files.ts'
import { decodeUtf8 } from '../utf8.ts'
import {
  DamagedFile,
  markedRows,
  numberPosition,
  survivingDamage,
  toPosition,
  type Fields,
  type RawRow,
  type SourceFormat,
} from './format.ts'

// Uncompressed size of the columns of one window; decoded strings take about twice that.
const WINDOW_BYTES = 16 * 2 ** 20
const WINDOWS_KEPT = 3
const FOOTERS_KEPT = 8
// Pages cannot be had singly without a page index: the whole column of a row group is read.
const MAX_COLUMN_CHUNK = 2 ** 30
const MAX_FOOTER = 2 ** 28

/** Keeps bytes that are no UTF-8 as they are, so that the row's columns tell; JSON stays text. */
const parsers = {
  stringFromBytes: textOrBytes,
  jsonFromBytes: textOrBytes,
} as unknown as Partial<ParquetParsers> // typed to return strings; we carry the bytes on

function textOrBytes(bytes: Uint8Array | undefined): string | Uint8Array | undefined {
  return bytes === undefined ? undefined : (decodeUtf8(bytes) ?? bytes)
}

/** hyparquet-compressors 1.1.2 takes the one zero byte that is LZ4 for "nothing" as damage. */
const compressors: Compressors = {
  ...allCompressors,
  LZ4: orNothing(allCompressors.LZ4),
  LZ4_RAW: orNothing(allCompressors.LZ4_RAW),
}

function orNothing(decompress: Compressors['LZ4']): NonNullable<Compressors['LZ4']> {
  return (input, length) => {
    if (length === 0) return new Uint8Array(0)
    if (decompress === undefined) throw new Error('no LZ4')
    return decompress(input, length)
  }
}

const decoding = { parsers, compressors, utf8: false, geoparquet: false } as const

/** @param wanted the columns to decode, of those that a file has */
export function createParquetFormat(wanted: readonly string[]): SourceFormat {
  const footers = createCache<FileMetaData>(FOOTERS_KEPT)
  const windows = createCache<Window>(WINDOWS_KEPT)

  const footerOf = (file: SourceFile): Promise<FileMetaData> =>
    footers.get(file.path, () => readFooter(file))

  return survivingDamage({
    columns: async (file) => topColumns(await footerOf(file)),
    marks: async function* (file, { seen, ...grid }) {
      file.signal.throwIfAborted()
      seen.rows = rowCount(await footerOf(file))
      for (const row of markedRows(grid, 0, seen.rows)) yield { row, position: row }
    },
    read: async function* (file, position) {
      const first = toPosition(numberPosition, file.path, position) ?? 0
      const footer = await footerOf(file)
      const columns = topColumns(footer).filter((name) => wanted.includes(name))
      const parquet = { file, footer, columns }
      for (const range of windowsFrom(parquet, first)) {
        file.signal.throwIfAborted()
        const key = `${range.start}:${file.path}`
        const window = await windows.get(key, () => readWindow(parquet, range))
        for (let row = Math.max(first, range.start); row < range.end; row++) {
          yield rowOf(window, row - range.start)
        }
      }
    },
  })
}

interface ParquetFile {
  readonly file: SourceFile
  readonly footer: FileMetaData
  /** To be read. */
  readonly columns: readonly string[]
}

/** Rows [start, end) of the file, inside one row group. */
interface Range {
  readonly start: number
  readonly end: number
  readonly group: number
}

/** Columns of a range, parallel; or why the range cannot be read. */
type Window = ReadonlyMap<string, ArrayLike<unknown>> | DamagedFile

function rowOf(window: Window, index: number): RawRow {
  if (window instanceof DamagedFile) return { code: 'source_damaged', detail: window.message }
  const fields: Fields = Object.fromEntries(
    Array.from(window, ([name, values]) => [name, values[index]]),
  )
  return { fields }
}

/** Windows are cut by the row group alone, never by where somebody begins to read. */
function* windowsFrom({ footer, columns }: ParquetFile, first: number): Generator<Range> {
  let start = 0
  for (const [group, rowGroup] of footer.row_groups.entries()) {
    const rows = Number(rowGroup.num_rows)
    const end = start + rows
    if (end > first) {
      const uncompressed = chunksOf(rowGroup, columns).reduce(
        (sum, chunk) => sum + Number(chunk.total_uncompressed_size),
        0,
      )
      const share = Math.max(1, Math.ceil(uncompressed / WINDOW_BYTES))
      const step = Math.max(1, Math.ceil(rows / share))
      for (let at = start; at < end; at += step) {
        const range = { start: at, end: Math.min(end, at + step), group }
        if (range.end > first) yield range
      }
    }
    start = end
  }
}

/** Those of the leaves of top-level columns. */
function chunksOf(rowGroup: RowGroup | undefined, columns: readonly string[]) {
  return (rowGroup?.columns ?? []).flatMap(({ meta_data: chunk }) =>
    chunk !== undefined && columns.includes(chunk.path_in_schema[0] ?? '') ? [chunk] : [],
  )
}

async function readWindow(parquet: ParquetFile, range: Range): Promise<Window> {
  const { file: source, footer, columns } = parquet
  const { start: rowStart, end: rowEnd, group } = range
  const rowGroup = footer.row_groups[group]
  await using file = await openBuffer(source)
  const window = new Map<string, ArrayLike<unknown>>()
  for (const column of columns) {
    const chunk = chunksOf(rowGroup, [column])[0]
    const start = chunk?.dictionary_page_offset ?? chunk?.data_page_offset ?? 0
    const where = `${shortPath(source.path)} row group ${group}, column ${column} at byte ${start}`
    const bytes = Number(chunk?.total_compressed_size ?? 0)
    if (bytes > MAX_COLUMN_CHUNK) {
      return new DamagedFile(`${where}: ${bytes} bytes; rewrite it with smaller row groups`)
    }
    try {
      const scan = await parquetScan({ ...decoding, file, metadata: footer, columns: [column] })
      const values = await scan.readColumn({ column, rowStart, rowEnd })
      if (values.length !== rowEnd - rowStart) {
        const missing = rowEnd - rowStart - values.length
        return new DamagedFile(`${where}: ends ${missing} rows early`)
      }
      window.set(column, values)
    } catch (error) {
      if (error instanceof ShardError) throw error
      // Pages of version 2 by pyarrow up to 25 of a column in lists (apache/arrow#51097).
      const isNested = (chunk?.path_in_schema.length ?? 0) > 1
      const hint =
        isNested && error instanceof RangeError
          ? '; if other programs read it, rewrite it with data_page_version 1.0'
          : ''
      return new DamagedFile(`${where}: ${messageOf(error)}${hint}`, { cause: error })
    }
  }
  return window
}

async function readFooter(source: SourceFile): Promise<FileMetaData> {
  await using file = await openBuffer(source)
  try {
    const tail = Buffer.from(await file.slice(Math.max(0, file.byteLength - 8), file.byteLength))
    if (tail.length < 8 || tail.toString('latin1', 4) !== 'PAR1') {
      throw new DamagedFile('no Parquet file, or cut: it does not end with PAR1')
    }
    const length = tail.readUInt32LE(0)
    if (length > MAX_FOOTER) throw new DamagedFile(`its footer claims ${length} bytes`)
    const footer = await parquetMetadataAsync(file, decoding)
    rowCount(footer)
    topColumns(footer)
    return footer
  } catch (error) {
    if (error instanceof ShardError || error instanceof DamagedFile) throw error
    const message = `its Parquet footer cannot be read: ${messageOf(error)}`
    throw new DamagedFile(message, { cause: error })
  }
}

/** @throws DamagedFile if the counts of the row groups make no sense */
function rowCount(footer: FileMetaData): number {
  let rows = 0
  for (const [group, { num_rows: count }] of footer.row_groups.entries()) {
    if (count < 0n) throw new DamagedFile(`row group ${group} claims ${count} rows`)
    rows += Number(count)
  }
  if (!Number.isSafeInteger(rows)) throw new DamagedFile(`it claims ${rows} rows`)
  return rows
}

function topColumns(footer: FileMetaData): readonly string[] {
  return parquetSchema(footer).children.map((child) => child.element.name)
}

/** Every slice is a read of its own. */
async function openBuffer(source: SourceFile): Promise<AsyncBuffer & AsyncDisposable> {
  const file = await source.open()
  const { size } = file
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const bytes = await file.read(start, Math.max(0, Math.min(end, size) - start))
      // Small buffers lie in a shared pool: a copy of its own is what the parser may keep.
      const { buffer } = bytes
      const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length
      return isWhole ? buffer : new Uint8Array(bytes).buffer
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  }
}
