// Parses Arrow messages in a thread of its own: a corrupted byte can make the parser loop for ever,
// and only a thread can be ended then. Does no I/O.

import {
  CompressionType,
  compressionRegistry,
  DataType,
  MapRow,
  Message,
  RecordBatchReader,
  StructRow,
  type RecordBatch,
} from 'apache-arrow'
import { compressors } from 'hyparquet-compressors'
import { serve } from '../../../system/serve.ts'
import { decodeLz4Frame } from './lz4-frame.ts'

/** What the parser is asked. */
export type ArrowRequest =
  | { readonly kind: 'describe'; readonly metadata: Uint8Array }
  | { readonly kind: 'columns'; readonly stream: Uint8Array }
  | RowsRequest

/** Rows [start, end) of a record batch. */
export interface RowsRequest {
  readonly kind: 'rows'
  /** Of the batch; its bytes are kept until others push them out. */
  readonly key: string
  /** Schema, dictionaries and the batch as a stream; absent where they were sent before. */
  readonly stream?: Uint8Array
  readonly columns: readonly string[]
  readonly start: number
  readonly end: number
}

/** What a message's metadata say; lengths in bytes. */
export interface Described {
  readonly kind: 'schema' | 'dictionary' | 'batch' | 'other'
  readonly bodyLength: number
  readonly rows: number
}

/** Its answer to one kind of request each. */
export interface ArrowReply {
  readonly described?: Described
  readonly columns?: readonly string[]
  /** Values by column; undefined: the batch has to be sent again. */
  readonly rows?: Readonly<Record<string, readonly unknown[]>> | undefined
}

const BATCHES_KEPT = 3

const zstd = compressors.ZSTD
if (zstd === undefined) throw new Error('hyparquet-compressors has no ZSTD')
compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zstd(bytes, 0).slice() })
compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: decodeLz4Frame })

const batches = new Map<string, RecordBatch>()

function answer(request: ArrowRequest): ArrowReply {
  switch (request.kind) {
    case 'describe':
      return { described: describe(Message.decode(request.metadata)) }
    case 'columns': {
      const reader = RecordBatchReader.from(request.stream).open()
      const names: readonly unknown[] = reader.schema.fields.map(({ name }) => name)
      const columns = names.filter((name) => typeof name === 'string')
      // The types promise names, corrupted bytes do not.
      if (columns.length < names.length) throw new Error('a column without a name')
      return { columns }
    }
    case 'rows':
      return { rows: rowsOf(request) }
  }
}

function describe(message: Message): Described {
  const { bodyLength } = message
  if (message.isSchema()) return { kind: 'schema', bodyLength, rows: 0 }
  if (message.isDictionaryBatch()) return { kind: 'dictionary', bodyLength, rows: 0 }
  if (!message.isRecordBatch()) return { kind: 'other', bodyLength, rows: 0 }
  return { kind: 'batch', bodyLength, rows: message.header().length }
}

function rowsOf({ key, stream, columns, start, end }: RowsRequest) {
  const batch = stream === undefined ? batches.get(key) : lastBatch(stream)
  if (batch === undefined) return undefined
  batches.delete(key)
  batches.set(key, batch)
  for (const oldest of batches.keys()) {
    if (batches.size <= BATCHES_KEPT) break
    batches.delete(oldest)
  }
  const entries = columns.flatMap((name) => {
    const vector = batch.getChild(name)
    if (vector === null) return []
    const type = vector.type as DataType
    const isTime = DataType.isTimestamp(type) || DataType.isDate(type)
    const values = Array.from({ length: end - start }, (_, index) => {
      const value: unknown = vector.get(start + index)
      return isTime && typeof value === 'number' ? new Date(value) : plain(value)
    })
    return [[name, values] as const]
  })
  return Object.fromEntries(entries)
}

function lastBatch(stream: Uint8Array): RecordBatch | undefined {
  let last: RecordBatch | undefined
  for (const batch of RecordBatchReader.from(stream)) last = batch
  return last
}

/** Values as they can be sent to another thread: lists as arrays, structs and maps as objects. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.slice()
  // A row hides its methods behind the names of its fields: told by its class alone.
  if (value instanceof StructRow || value instanceof MapRow) {
    const fields = Object.entries(value.toJSON())
    return Object.fromEntries(fields.map(([name, item]) => [name, plain(item)]))
  }
  // Vectors, and the words of a decimal.
  return Symbol.iterator in value ? Array.from(value as Iterable<unknown>, plain) : null
}

serve<ArrowRequest, ArrowReply>((request) => ({ reply: answer(request) }))
