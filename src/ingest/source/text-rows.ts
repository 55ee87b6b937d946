// TSV, CSV and JSON Lines, plain or gzipped: records to rows.

import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { InputError, ShardError, messageOf } from '../../core/errors.ts'
import type { Json } from '../../core/types.ts'
import type { SourceOptions } from '../source-options.ts'
import {
  badPosition,
  DamagedFile,
  isMarked,
  type Fields,
  type RawRow,
  type RejectedRow,
  shortPath,
  type SourceFormat,
} from './format.ts'
import { createRecordSplitter, splitFields, type RawRecord } from './split-records.ts'

const CHUNK = 256 * 1024
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** How a text format makes fields of records. */
interface Dialect {
  /** The delimiter's byte if fields may be quoted. */
  readonly quotedBy: number | undefined
  /** The first record names the columns. */
  readonly hasHeader: boolean
  /** The fields, or why there are none. */
  parse(text: string, columns: readonly string[]): Fields | string
  /** Column names, of the header line or, without one, of the first record. */
  columnsOf(text: string): readonly string[]
}

export function createTextFormat(
  type: 'tsv' | 'csv' | 'jsonl',
  options: SourceOptions,
): SourceFormat {
  return textFormat(type === 'jsonl' ? jsonDialect : tableDialect(type, options), options)
}

function tableDialect(type: 'tsv' | 'csv', options: SourceOptions): Dialect {
  const delimiter = type === 'tsv' ? '\t' : ','
  const quotes = options.quotes ?? type === 'csv'
  return {
    quotedBy: quotes ? delimiter.charCodeAt(0) : undefined,
    hasHeader: options.columnNames === undefined,
    columnsOf: (text) => options.columnNames ?? splitFields(text, delimiter, quotes),
    parse: (text, header) => {
      const columns = options.columnNames ?? header
      const values = splitFields(text, delimiter, quotes)
      if (values.length !== columns.length) {
        return `${values.length} fields; the file has ${columns.length} columns`
      }
      return Object.fromEntries(columns.map((name, index) => [name, values[index]]))
    },
  }
}

const jsonDialect: Dialect = {
  quotedBy: undefined,
  hasHeader: false,
  columnsOf: (text) => {
    const fields = parseObject(text)
    return typeof fields === 'string' ? [] : Object.keys(fields)
  },
  parse: parseObject,
}

function parseObject(text: string): Fields | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return `not JSON: ${messageOf(error)}`
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  return `a JSON object is needed, not ${Array.isArray(value) ? 'an array' : JSON.stringify(value).slice(0, 40)}`
}

/** What stands before the first row. */
interface Head {
  readonly columns: readonly string[]
  /** Byte offset of the first row's record or, without a header, of the file's text. */
  readonly start: number
}

function textFormat(dialect: Dialect, options: SourceOptions): SourceFormat {
  const heads = new Map<string, Promise<Head>>()

  const readHead = async (path: string, signal: AbortSignal): Promise<Head> => {
    let text = 0
    for await (const chunk of readBytes(path, 0, signal)) {
      text = textStart(chunk, path)
      break
    }
    for await (const [record] of records(path, text, dialect, options, signal)) {
      if (record === undefined) continue
      const decoded = decode(record)
      if (typeof decoded !== 'string') {
        if (dialect.hasHeader) throw new DamagedFile(`the header line: ${decoded.detail}`)
        return { columns: options.columnNames ?? [], start: text }
      }
      const columns = dialect.columnsOf(decoded)
      if (!dialect.hasHeader) return { columns, start: text }
      const twice = columns.find((name, index) => columns.indexOf(name) !== index)
      if (twice !== undefined) throw new DamagedFile(`the header names ${twice} twice`)
      return { columns, start: record.next }
    }
    return { columns: options.columnNames ?? [], start: text }
  }
  const headOf = (path: string, signal: AbortSignal): Promise<Head> => {
    const known = heads.get(path)
    if (known !== undefined) return known
    const head = readHead(path, signal)
    heads.set(path, head)
    head.catch(() => heads.delete(path))
    return head
  }

  /** The records of rows, in batches; where the file is damaged, the last one is its damage. */
  async function* rowRecords(
    path: string,
    position: Position,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Unread[]> {
    let next = position
    try {
      next ??= (await headOf(path, signal)).start
      for await (const batch of records(path, next, dialect, options, signal)) {
        next = batch.at(-1)?.next ?? next
        yield batch
      }
    } catch (error) {
      if (!(error instanceof DamagedFile)) throw error
      yield [{ offset: next, bytes: new Uint8Array(0), problem: error }]
    }
  }

  const toRow = (record: Unread, path: string, columns: readonly string[]): RawRow => {
    const text = decode(record)
    const where = `${shortPath(path)} at byte ${record.offset ?? 0}`
    if (typeof text !== 'string') return { ...text, detail: `${where}: ${text.detail}` }
    const fields = dialect.parse(text, columns)
    if (typeof fields !== 'string') return { fields }
    return { code: 'row_malformed', detail: `${where}: ${fields}` }
  }

  return {
    columns: async (path, signal) => {
      try {
        return (await headOf(path, signal)).columns
      } catch (error) {
        if (!(error instanceof DamagedFile)) throw error
        throw new InputError(`${path}: ${error.message}`, { cause: error })
      }
    },
    marks: async function* (path, grid, signal) {
      let row = 0
      for await (const batch of rowRecords(path, null, signal)) {
        for (const record of batch) {
          if (isMarked(row, grid)) yield { row, position: record.offset }
          row++
        }
      }
      yield { rows: row }
    },
    read: async function* (path, position, signal) {
      const start = position === undefined ? null : toPosition(path, position)
      for await (const batch of rowRecords(path, start, signal)) {
        if (batch.length === 0) continue
        const columns = dialect.hasHeader ? (await headOf(path, signal)).columns : []
        for (const record of batch) yield toRow(record, path, columns)
      }
    },
  }
}

/** Byte offset of a record; null: the file's first row, behind its header. */
type Position = number | null

function toPosition(path: string, position: Json): Position {
  if (position === null) return null
  if (typeof position === 'number' && Number.isSafeInteger(position) && position >= 0) {
    return position
  }
  throw badPosition(path, position)
}

type Unread = Pick<RawRecord, 'bytes'> & {
  readonly offset: Position
  readonly problem?: string | DamagedFile
}

function decode(record: Unread): string | RejectedRow {
  const { problem } = record
  if (problem instanceof DamagedFile) return { code: 'source_damaged', detail: problem.message }
  if (problem === 'too_long') {
    return { code: 'row_too_long', detail: 'longer than source.maxRowBytes' }
  }
  if (problem !== undefined) return { code: 'row_malformed', detail: problem }
  const nul = record.bytes.indexOf(0)
  if (nul >= 0) {
    return { code: 'encoding_invalid', detail: `NUL byte, the ${nul + 1}th of the row` }
  }
  try {
    return utf8.decode(record.bytes)
  } catch {
    return { code: 'encoding_invalid', detail: 'not UTF-8' }
  }
}

async function* records(
  path: string,
  offset: number,
  dialect: Dialect,
  options: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly RawRecord[]> {
  const { quotedBy } = dialect
  const splitter = createRecordSplitter({
    offset,
    maxRowBytes: options.maxRowBytes,
    ...(quotedBy === undefined ? {} : { quotedBy }),
  })
  for await (const chunk of readBytes(path, offset, signal)) yield splitter.push(chunk)
  yield splitter.end()
}

/** The uncompressed bytes from an offset; a gzipped file is unpacked from its beginning. */
async function* readBytes(
  path: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  const gzipped = path.endsWith('.gz')
  const file = createReadStream(path, { start: gzipped ? 0 : offset, highWaterMark: CHUNK })
  const stream: Readable = gzipped ? file.pipe(createGunzip({ chunkSize: CHUNK })) : file
  // pipe() passes no errors on.
  if (gzipped) file.on('error', (error) => stream.destroy(error))
  let skip = gzipped ? offset : 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal.throwIfAborted()
      if (skip < chunk.length) yield chunk.subarray(skip)
      skip = Math.max(0, skip - chunk.length)
    }
  } catch (error) {
    signal.throwIfAborted()
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code.startsWith('Z_')) {
      throw new DamagedFile(`gzip: ${messageOf(error)}`, { cause: error })
    }
    if (error instanceof Error && 'syscall' in error) {
      throw new ShardError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
    }
    throw error
  } finally {
    file.destroy()
    stream.destroy()
  }
}

/** Length of the byte order mark; only UTF-8 is read. */
function textStart(head: Uint8Array, path: string): number {
  const [a, b, c] = head
  if (a === 0xef && b === 0xbb && c === 0xbf) return 3
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new InputError(`${path} is UTF-16; rewrite it as UTF-8`)
  }
  return 0
}
