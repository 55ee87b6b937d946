// Arrow IPC, files and streams (Feather 2; the folders of Hugging Face datasets): walked message by
// message, record batches parsed in a thread. A batch is read whole, its rows are handed on in windows.

import type { Json } from '../../../core/types.ts'
import { sharedArrowThread, type ArrowThread } from './arrow-thread.ts'
import type { Described } from './arrow-worker.ts'
import { shortPath } from '../files/addresses.ts'
import type { OpenFile, SourceFiles } from '../files/files.ts'
import {
  badPosition,
  DamagedFile,
  markedRows,
  survivingDamage,
  type RawRow,
  type SourceFormat,
} from './format.ts'

const MAGIC = 'ARROW1'
const MAX_METADATA = 2 ** 26
const MAX_BODY = 2 ** 30
const MAX_ROWS = 2 ** 24
// Of a batch's body, per window.
const WINDOW_BYTES = 16 * 2 ** 20
const MAX_WINDOW_ROWS = 4096

/** Where reading begins: a row of the batch at the offset, and the dictionaries before it. */
interface Position {
  readonly offset: number
  readonly row: number
  readonly dictionaries: readonly number[]
}

interface WalkedMessage extends Described {
  readonly offset: number
  /** Of metadata and body together, with what stands before them. */
  readonly length: number
  /** Byte offsets of the dictionaries so far. */
  readonly dictionaries: readonly number[]
}

/** @param wanted the columns to read, of those that a file has */
export function createArrowFormat(files: SourceFiles, wanted: readonly string[]): SourceFormat {
  const thread = sharedArrowThread()
  return survivingDamage({
    columns: async (path, signal) => {
      const file = await files.openForward(path, signal)
      try {
        for await (const message of walk(file, thread, undefined)) {
          if (message.kind !== 'schema') break
          const stream = await file.read(message.offset, message.length)
          const reply = await thread.ask({ kind: 'columns', stream: Uint8Array.from(stream) })
          if ('columns' in reply) return reply.columns
        }
        throw new DamagedFile('no schema at its beginning')
      } finally {
        await file.close()
      }
    },
    marks: async function* (path, { seen, ...grid }, signal) {
      const file = await files.openForward(path, signal)
      try {
        for await (const { kind, rows, offset, dictionaries } of walk(file, thread, undefined)) {
          signal.throwIfAborted()
          if (kind !== 'batch') continue
          for (const row of markedRows(grid, seen.rows, rows)) {
            const position = { offset, row: row - seen.rows, dictionaries: [...dictionaries] }
            yield { row, position }
          }
          seen.rows += rows
        }
      } finally {
        await file.close()
      }
    },
    read: async function* (path, position, signal) {
      const start = position === undefined ? undefined : toPosition(path, position)
      const file = await files.openForward(path, signal)
      let first = start?.row ?? 0
      try {
        const schema = await readMessage(file, thread, await firstOffset(file))
        for await (const message of walk(file, thread, start)) {
          signal.throwIfAborted()
          if (message.kind !== 'batch') continue
          yield* readBatch(path, file, thread, { message, schema, first, wanted }, signal)
          first = 0
        }
      } finally {
        await file.close()
      }
    },
  })
}

interface BatchToRead {
  readonly message: WalkedMessage
  readonly schema: Buffer
  readonly first: number
  readonly wanted: readonly string[]
}

/** Rows `first` to the last of a batch; of a batch that cannot be parsed each is rejected. */
async function* readBatch(
  path: string,
  file: OpenFile,
  thread: ArrowThread,
  { message, schema, first, wanted }: BatchToRead,
  signal: AbortSignal,
): AsyncGenerator<RawRow> {
  const { rows, offset, length } = message
  const key = `${path}:${offset}`
  const step = Math.max(1, Math.min(MAX_WINDOW_ROWS, Math.floor((rows * WINDOW_BYTES) / length)))
  let damage: string | undefined
  for (let start = first; start < rows; start += step) {
    signal.throwIfAborted()
    const end = Math.min(rows, start + step)
    let columns: Readonly<Record<string, readonly unknown[]>> | undefined
    try {
      if (damage === undefined) {
        const request = { kind: 'rows', key, columns: wanted, start, end } as const
        let reply = await thread.ask(request)
        if ('rows' in reply && reply.rows === undefined) {
          const parts = [schema]
          for (const at of message.dictionaries) parts.push(await readMessage(file, thread, at))
          parts.push(await file.read(offset, length))
          reply = await thread.ask({ ...request, stream: Uint8Array.from(Buffer.concat(parts)) })
        }
        if ('rows' in reply) columns = reply.rows
        if (columns === undefined) damage = 'holds no rows'
      }
    } catch (error) {
      if (!(error instanceof DamagedFile)) throw error
      damage = error.message
    }
    for (let index = 0; index < end - start; index++) {
      if (columns === undefined) {
        const detail = `${shortPath(path)}: record batch at byte ${offset}: ${damage ?? ''}`
        yield { code: 'source_damaged', detail }
      } else {
        const fields = Object.entries(columns).map(([name, values]) => [name, values[index]])
        yield { fields: Object.fromEntries(fields) as Readonly<Record<string, unknown>> }
      }
    }
  }
}

/** Byte offset of the first message, in a file behind its magic. */
async function firstOffset(file: OpenFile): Promise<number> {
  const head = await file.read(0, 8)
  return head.toString('latin1', 0, MAGIC.length) === MAGIC ? 8 : 0
}

/** The messages from a position on, with their lengths but without their bodies. */
async function* walk(
  file: OpenFile,
  thread: ArrowThread,
  from: Position | undefined,
): AsyncGenerator<WalkedMessage> {
  const dictionaries = [...(from?.dictionaries ?? [])]
  let offset = from?.offset ?? (await firstOffset(file))
  for (;;) {
    const found = await describeMessage(file, thread, offset)
    if (found === undefined) return
    if (found.kind === 'dictionary') dictionaries.push(offset)
    yield { ...found, offset, dictionaries }
    offset += found.length
  }
}

/** undefined at the end mark, or where a stream ends without one. */
async function describeMessage(
  file: OpenFile,
  thread: ArrowThread,
  offset: number,
): Promise<(Described & { readonly length: number }) | undefined> {
  const prefix = await file.read(offset, 8)
  if (prefix.length === 0 && offset > 0) return undefined
  if (prefix.length < 8) throw new DamagedFile(`cut at byte ${offset + prefix.length}`)
  if (prefix.readInt32LE(0) !== -1) throw new DamagedFile(`no Arrow message at byte ${offset}`)
  const metadataLength = prefix.readInt32LE(4)
  if (metadataLength === 0) return undefined
  if (metadataLength < 0 || metadataLength > MAX_METADATA) {
    throw new DamagedFile(`message at byte ${offset} claims ${metadataLength} bytes of metadata`)
  }
  const metadata = await file.read(offset + 8, metadataLength)
  if (metadata.length < metadataLength) {
    throw new DamagedFile(`cut at byte ${offset + 8 + metadata.length}, inside a message`)
  }
  let described: Described | undefined
  try {
    const reply = await thread.ask({ kind: 'describe', metadata: Uint8Array.from(metadata) })
    if ('described' in reply) described = reply.described
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    throw new DamagedFile(`message at byte ${offset}: ${error.message}`, { cause: error })
  }
  const bodyLength = described?.bodyLength ?? -1
  const rows = described?.rows ?? -1
  const isPossible = bodyLength >= 0 && bodyLength <= MAX_BODY && rows >= 0 && rows <= MAX_ROWS
  if (described === undefined || !isPossible) {
    throw new DamagedFile(
      `message at byte ${offset} claims ${bodyLength} bytes and ${rows} rows; the limits are 1 GiB and ${MAX_ROWS}`,
    )
  }
  const length = 8 + metadataLength + bodyLength
  if (offset + length > file.size) {
    throw new DamagedFile(
      `message at byte ${offset} has ${length} bytes; the file ends after ${file.size - offset}`,
    )
  }
  return { ...described, length }
}

async function readMessage(file: OpenFile, thread: ArrowThread, offset: number): Promise<Buffer> {
  const found = await describeMessage(file, thread, offset)
  if (found === undefined) throw new DamagedFile(`no Arrow message at byte ${offset}`)
  return file.read(offset, found.length)
}

function toPosition(path: string, position: Json): Position {
  if (typeof position === 'object' && position !== null) {
    const { offset, row, dictionaries } = position as Readonly<Record<string, Json>>
    if (typeof offset === 'number' && typeof row === 'number' && Array.isArray(dictionaries)) {
      return { offset, row, dictionaries: dictionaries.map(Number) }
    }
  }
  throw badPosition(path, position)
}
