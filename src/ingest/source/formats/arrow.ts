// Arrow IPC, files and streams (Feather 2; the folders of Hugging Face datasets): walked message by
// message, record batches parsed in a thread. A batch is read whole, its rows are handed on in windows.

import { z } from 'zod'
import type { OpenFile } from '../files/files.ts'
import { arrowThread } from './arrow-thread.ts'
import type { ArrowReply, Described } from './arrow-worker.ts'
import {
  asDamage,
  damagedRow,
  DamagedFile,
  markedRows,
  survivingDamage,
  toPosition,
  type Fields,
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
const positionSchema = z
  .object({ offset: z.number(), row: z.number(), dictionaries: z.array(z.number()) })
  .optional()

interface WalkedMessage extends Described {
  readonly offset: number
  /** Of metadata and body together, with what stands before them. */
  readonly length: number
  /** Byte offsets of the dictionaries so far. */
  readonly dictionaries: readonly number[]
}

/** @param wanted the columns to read, of those that a file has */
export function createArrowFormat(wanted: readonly string[]): SourceFormat {
  return survivingDamage({
    columns: async (source) => {
      await using file = await source.openForward()
      for await (const message of walk(file)) {
        if (message.kind !== 'schema') break
        const stream = await file.read(message.offset, message.length)
        const { columns } = await arrowThread.ask({
          kind: 'columns',
          stream: Uint8Array.from(stream),
        })
        if (columns !== undefined) return columns
      }
      throw new DamagedFile('no schema at its beginning')
    },
    marks: async function* (source, { seen, ...grid }) {
      await using file = await source.openForward()
      for await (const { kind, rows, offset, dictionaries } of walk(file)) {
        source.signal.throwIfAborted()
        if (kind !== 'batch') continue
        for (const row of markedRows(grid, seen.rows, rows)) {
          const position = { offset, row: row - seen.rows, dictionaries: [...dictionaries] }
          yield { row, position }
        }
        seen.rows += rows
      }
    },
    read: async function* (source, position) {
      const { path, signal } = source
      const start = toPosition(positionSchema, path, position)
      await using file = await source.openForward()
      let first = start?.row ?? 0
      const schema = await readMessage(file, await firstOffset(file))
      for await (const message of walk(file, start)) {
        signal.throwIfAborted()
        if (message.kind !== 'batch') continue
        yield* readBatch(file, { path, signal, message, schema, first, wanted })
        first = 0
      }
    },
  })
}

interface BatchToRead {
  readonly path: string
  readonly signal: AbortSignal
  readonly message: WalkedMessage
  readonly schema: Buffer
  readonly first: number
  readonly wanted: readonly string[]
}

/** Rows `first` to the last of a batch; of a batch that cannot be parsed each is rejected. */
async function* readBatch(file: OpenFile, batch: BatchToRead): AsyncGenerator<RawRow> {
  const { path, wanted } = batch
  const { rows, offset, length, dictionaries } = batch.message
  const key = `${path}:${offset}`
  const step = Math.max(1, Math.min(MAX_WINDOW_ROWS, Math.floor((rows * WINDOW_BYTES) / length)))
  let damage: string | undefined
  for (let start = batch.first; start < rows; start += step) {
    batch.signal.throwIfAborted()
    const end = Math.min(rows, start + step)
    let columns: ArrowReply['rows']
    try {
      if (damage === undefined) {
        const request = { kind: 'rows', key, columns: wanted, start, end } as const
        columns = (await arrowThread.ask(request)).rows
        if (columns === undefined) {
          const parts = [batch.schema]
          for (const at of dictionaries) parts.push(await readMessage(file, at))
          parts.push(await file.read(offset, length))
          const stream = Uint8Array.from(Buffer.concat(parts))
          columns = (await arrowThread.ask({ ...request, stream })).rows
        }
        if (columns === undefined) damage = 'holds no rows'
      }
    } catch (error) {
      damage = asDamage(error).message
    }
    for (let index = 0; index < end - start; index++) {
      if (columns === undefined) {
        yield damagedRow(path, `record batch at byte ${offset}: ${damage ?? ''}`)
      } else {
        const fields = Object.entries(columns).map(([name, values]) => [name, values[index]])
        yield { fields: Object.fromEntries(fields) as Fields }
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
  from?: z.infer<typeof positionSchema>,
): AsyncGenerator<WalkedMessage> {
  const dictionaries = [...(from?.dictionaries ?? [])]
  let offset = from?.offset ?? (await firstOffset(file))
  for (;;) {
    const found = await describeMessage(file, offset)
    if (found === undefined) return
    if (found.kind === 'dictionary') dictionaries.push(offset)
    yield { ...found, offset, dictionaries }
    offset += found.length
  }
}

/** undefined at the end mark, or where a stream ends without one. */
async function describeMessage(
  file: OpenFile,
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
    const request = { kind: 'describe', metadata: Uint8Array.from(metadata) } as const
    described = (await arrowThread.ask(request)).described
  } catch (error) {
    const damage = asDamage(error)
    throw new DamagedFile(`message at byte ${offset}: ${damage.message}`, { cause: damage })
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

async function readMessage(file: OpenFile, offset: number): Promise<Buffer> {
  const found = await describeMessage(file, offset)
  if (found === undefined) throw new DamagedFile(`no Arrow message at byte ${offset}`)
  return file.read(offset, found.length)
}
