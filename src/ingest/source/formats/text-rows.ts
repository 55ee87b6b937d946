// TSV, CSV and JSON Lines, plain or gzipped: records to rows.

import { messageOf } from '../../../core/errors.ts'
import { createCache } from '../../../system/cache.ts'
import type { SourceOptions } from '../options.ts'
import { shortPath } from '../files/addresses.ts'
import type { SourceFiles } from '../files/files.ts'
import {
  DamagedFile,
  isMarked,
  survivingDamage,
  type Fields,
  type RawRow,
  toNumber,
  type SourceFormat,
} from './format.ts'
import { readBytes } from '../files/packed-bytes.ts'
import { decodeRecord } from './text-bytes.ts'
import { createRecordSplitter, splitFields, type RawRecord } from './split-records.ts'

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

/** `lines`: each line is the column `line`. */
type TextType = 'tsv' | 'csv' | 'jsonl' | 'flickr30k' | 'lines'

/** Positions are byte offsets of records in the unpacked file. */
export function createTextFormat(
  files: SourceFiles,
  type: TextType,
  options: SourceOptions,
): SourceFormat {
  return textFormat(files, dialectOf(type, options), options)
}

function dialectOf(type: TextType, options: SourceOptions): Dialect {
  switch (type) {
    case 'jsonl':
      return jsonDialect
    case 'flickr30k':
      return tokenDialect
    case 'lines':
      return lineDialect
    case 'tsv':
    case 'csv':
      return tableDialect(type, options)
  }
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

/** Flickr30k: `file#number<TAB>caption`. */
const tokenDialect: Dialect = {
  quotedBy: undefined,
  hasHeader: false,
  columnsOf: () => ['image', 'number', 'caption'],
  parse: (text) => {
    const [, image, number, caption] = /^([^\t#]+)#(\d+)\t(.*)$/su.exec(text) ?? []
    if (image === undefined) return 'not of the form file#number<TAB>caption'
    return { image, number: Number(number), caption }
  },
}

const lineDialect: Dialect = {
  quotedBy: undefined,
  hasHeader: false,
  columnsOf: () => ['line'],
  parse: (line) => ({ line }),
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

function textFormat(files: SourceFiles, dialect: Dialect, options: SourceOptions): SourceFormat {
  // Of every file: the rows of each are understood by it.
  const heads = createCache<Head>(Number.POSITIVE_INFINITY)

  const readHead = async (path: string, signal: AbortSignal): Promise<Head> => {
    let head = Buffer.alloc(0)
    for await (const chunk of readBytes(files, path, 0, signal)) {
      head = Buffer.concat([head, chunk])
      if (head.length >= 3) break
    }
    const text = textStart(head)
    for await (const [record] of records(files, path, text, dialect, options, signal)) {
      if (record === undefined) continue
      const decoded = decodeRecord(record)
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
  const headOf = (path: string, signal: AbortSignal) =>
    heads.get(path, () => readHead(path, signal))

  /** The records of rows, in batches. */
  async function* rowRecords(
    path: string,
    position: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<readonly RawRecord[]> {
    let reached = position ?? 0
    try {
      const start = position ?? (await headOf(path, signal)).start
      for await (const batch of records(files, path, start, dialect, options, signal)) {
        reached = batch.at(-1)?.next ?? reached
        if (batch.length > 0) yield batch
      }
    } catch (error) {
      if (!(error instanceof DamagedFile)) throw error
      throw new DamagedFile(`at byte ${reached}: ${error.message}`, { cause: error })
    }
  }

  const toRow = (record: RawRecord, path: string, columns: readonly string[]): RawRow => {
    const text = decodeRecord(record)
    const where = `${shortPath(path)} at byte ${record.offset}`
    if (typeof text !== 'string') return { ...text, detail: `${where}: ${text.detail}` }
    const fields = dialect.parse(text, columns)
    if (typeof fields !== 'string') return { fields }
    return { code: 'row_malformed', detail: `${where}: ${fields}` }
  }

  return survivingDamage({
    columns: async (path, signal) => (await headOf(path, signal)).columns,
    marks: async function* (path, { seen, ...grid }, signal) {
      for await (const batch of rowRecords(path, undefined, signal)) {
        for (const { offset: position } of batch) {
          if (isMarked(seen.rows, grid)) yield { row: seen.rows, position }
          seen.rows++
        }
      }
    },
    read: async function* (path, position, signal) {
      const start = position === undefined ? undefined : toNumber(path, position)
      for await (const batch of rowRecords(path, start, signal)) {
        const columns = dialect.hasHeader ? (await headOf(path, signal)).columns : []
        for (const record of batch) yield toRow(record, path, columns)
      }
    },
  })
}

async function* records(
  files: SourceFiles,
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
  for await (const chunk of readBytes(files, path, offset, signal)) yield splitter.push(chunk)
  yield splitter.end()
}

/** Length of the byte order mark; only UTF-8 is read. */
function textStart(head: Uint8Array): number {
  const [a, b, c] = head
  if (a === 0xef && b === 0xbb && c === 0xbf) return 3
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new DamagedFile('UTF-16; rewrite it as UTF-8')
  }
  return 0
}
