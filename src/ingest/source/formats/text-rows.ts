// TSV, CSV and JSON Lines, plain or gzipped: records to rows.

import { createCache } from '../../../system/cache.ts'
import type { SourceOptions } from '../options.ts'
import type { SourceFile } from '../files/files.ts'
import {
  asDamage,
  DamagedFile,
  isFields,
  isMarked,
  numberPosition,
  placed,
  survivingDamage,
  toPosition,
  type RawRow,
  type RejectedRow,
  type SourceFormat,
} from './format.ts'
import { readBytes } from '../files/packed-bytes.ts'
import { decodeRecord, parseJson, whereOf } from './text-bytes.ts'
import { RecordSplitter, splitFields, type RawRecord } from './split-records.ts'

/** How a text format makes fields of records. */
interface Dialect {
  /** The delimiter's byte if fields may be quoted. */
  readonly quotedBy?: number | undefined
  /** The first record names the columns. */
  readonly hasHeader?: boolean
  parse(text: string, columns: readonly string[]): RawRow
  /** Column names, of the header line or, without one, of the first record. */
  columnsOf(text: string): readonly string[]
}

/** `lines`: each line is the column `line`. */
type TextType = 'tsv' | 'csv' | 'jsonl' | 'flickr30k' | 'lines'

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
        return malformed(`${values.length} fields; the file has ${columns.length} columns`)
      }
      return { fields: Object.fromEntries(columns.map((name, index) => [name, values[index]])) }
    },
  }
}

/** Flickr30k: `file#number<TAB>caption`. */
const tokenDialect: Dialect = {
  columnsOf: () => ['image', 'number', 'caption'],
  parse: (text) => {
    const [, image, number, caption] = /^([^\t#]+)#(\d+)\t(.*)$/su.exec(text) ?? []
    if (image === undefined) return malformed('not of the form file#number<TAB>caption')
    return { fields: { image, number: Number(number), caption } }
  },
}

const lineDialect: Dialect = {
  columnsOf: () => ['line'],
  parse: (line) => ({ fields: { line } }),
}

const jsonDialect: Dialect = {
  columnsOf: (text) => {
    const row = parseObject(text)
    return 'code' in row ? [] : Object.keys(row.fields)
  },
  parse: parseObject,
}

function parseObject(text: string): RawRow {
  const value = parseJson(text)
  if (value instanceof Error) return malformed(value.message)
  if (isFields(value)) return { fields: value }
  const found = Array.isArray(value) ? 'an array' : JSON.stringify(value).slice(0, 40)
  return malformed(`a JSON object is needed, not ${found}`)
}

function malformed(detail: string): RejectedRow {
  return { code: 'row_malformed', detail }
}

/** What stands before the first row. */
interface Head {
  readonly columns: readonly string[]
  /** Byte offset of the first row's record or, without a header, of the file's text. */
  readonly start: number
}

/** Positions are byte offsets of records in the unpacked file. */
export function createTextFormat(type: TextType, options: SourceOptions): SourceFormat {
  const dialect = dialectOf(type, options)
  const { maxRowBytes, columnNames = [] } = options
  // Of every file: the rows of each are understood by it.
  const heads = createCache<Head>(Infinity)

  async function* records(file: SourceFile, offset: number): AsyncGenerator<readonly RawRecord[]> {
    const splitter = new RecordSplitter({ offset, maxRowBytes, quotedBy: dialect.quotedBy })
    for await (const chunk of readBytes(file, offset)) yield splitter.push(chunk)
    yield splitter.end()
  }
  const readHead = async (file: SourceFile): Promise<Head> => {
    let head = Buffer.alloc(0)
    for await (const chunk of readBytes(file, 0)) {
      head = Buffer.concat([head, chunk])
      if (head.length >= 3) break
    }
    const start = textStart(head)
    for await (const [record] of records(file, start)) {
      if (record === undefined) continue
      const text = decodeRecord(record)
      if (typeof text !== 'string') {
        if (dialect.hasHeader === true) throw new DamagedFile(`the header line: ${text.detail}`)
        break
      }
      const columns = dialect.columnsOf(text)
      if (dialect.hasHeader !== true) return { columns, start }
      const twice = columns.find((name, index) => columns.indexOf(name) !== index)
      if (twice !== undefined) throw new DamagedFile(`the header names ${twice} twice`)
      return { columns, start: record.next }
    }
    return { columns: columnNames, start }
  }
  const headOf = (file: SourceFile) => heads.get(file.path, () => readHead(file))

  /** The records of rows, in batches. */
  async function* rowRecords(
    file: SourceFile,
    position?: number,
  ): AsyncGenerator<readonly RawRecord[]> {
    let reached = position ?? 0
    try {
      const start = position ?? (await headOf(file)).start
      for await (const batch of records(file, start)) {
        reached = batch.at(-1)?.next ?? reached
        if (batch.length > 0) yield batch
      }
    } catch (error) {
      const damage = asDamage(error)
      throw new DamagedFile(`at byte ${reached}: ${damage.message}`, { cause: damage })
    }
  }

  return survivingDamage({
    columns: async (file) => (await headOf(file)).columns,
    marks: async function* (file, { seen, ...grid }) {
      for await (const batch of rowRecords(file)) {
        for (const { offset: position } of batch) {
          if (isMarked(seen.rows, grid)) yield { row: seen.rows, position }
          seen.rows++
        }
      }
    },
    read: async function* (file, position) {
      const start = toPosition(numberPosition, file.path, position)
      for await (const batch of rowRecords(file, start)) {
        const columns = dialect.hasHeader === true ? (await headOf(file)).columns : []
        for (const record of batch) {
          const text = decodeRecord(record)
          const row = typeof text === 'string' ? dialect.parse(text, columns) : text
          yield placed(whereOf(file.path, record), row)
        }
      }
    },
  })
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
