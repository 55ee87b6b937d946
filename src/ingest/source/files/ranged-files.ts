// Files on servers that answer for a range of bytes: reads here and there, streams that go on where a
// connection broke, and a check that a file stays what it was when it was first asked for.

import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError, InputError, ShardError, messageOf } from '../../../core/errors.ts'
import type { FileDescription, SourceFile } from './files.ts'
import { createForwardFile } from './forward-file.ts'

/** How often what may be another answer later is asked for. */
export const ATTEMPTS = 5
/** A body from which nothing comes for this long is asked for again. */
export const STALL_MS = 30_000
const MAX_DRAIN_BYTES = 64 * 1024
/** What an Ask throws has been tried again as often as it makes sense. */
const FINAL = [ShardError, InputError, ConfigError]

interface Range {
  readonly start: number
  /** Exclusive; infinite: to the end. */
  readonly end: number
}

/** Bytes of a file that are asked for. */
export interface RangeRequest extends Range {
  readonly path: string
  /** What the file had when it was first asked for, for servers that can be told to give no other. */
  readonly etag: string | undefined
  readonly signal: AbortSignal
}

/** What a server answers to one request. */
export interface RangeAnswer {
  readonly body: Readable
  readonly description: FileDescription
  /** The body is the range, not the whole file. */
  readonly isPartial: boolean
  /** The range begins at or behind the end of the file. */
  readonly isPastEnd: boolean
}

/**
 * One request, with what is to be tried again of it. The body ends with the signal.
 *
 * @throws InputError if the file is not there or must not be asked for, ShardError if the server
 *   cannot serve it now, ConfigError if what reaches it is not set up
 */
export type Ask = (request: RangeRequest) => Promise<RangeAnswer>

/** The files of one place. */
export interface RangedFiles {
  file(path: string, signal: AbortSignal): SourceFile
}

/** @param retryBaseMs pause before a body that broke off is asked for again, doubled each time */
export function createRangedFiles(ask: Ask, retryBaseMs: number): RangedFiles {
  const known = new Map<string, FileDescription>()
  return { file: (path, signal) => toFile({ ask, retryBaseMs, known, path, signal }) }
}

/** Reads of a file that a server has; `known` is what it said of its files first. */
interface Remote {
  readonly ask: Ask
  readonly retryBaseMs: number
  readonly known: Map<string, FileDescription>
  readonly path: string
  readonly signal: AbortSignal
}

function toFile(remote: Remote): SourceFile {
  const { known, path, signal } = remote
  const describe = async () => known.get(path) ?? (await probe(remote)).description
  const stream = (start: number) => resumed(remote, { start, end: Infinity })
  return {
    path,
    signal,
    beside: (other) => toFile({ ...remote, path: other }),
    open: async () => {
      const { isPartial, description } = await probe(remote)
      if (!isPartial) {
        throw new InputError(
          `${path}: the server does not answer range requests; download the file and name the copy`,
        )
      }
      const { size } = description
      return {
        size,
        read: (start, length) => readRange(remote, { start, end: Math.min(start + length, size) }),
        [Symbol.asyncDispose]: async () => undefined,
      }
    },
    openForward: async () => createForwardFile((await describe()).size, stream),
    stream,
    describe,
  }
}

/** An answer about the file that was first asked for: a change while it is read would mix two files. */
async function askSame({ ask, known, path, signal }: Remote, range: Range): Promise<RangeAnswer> {
  const before = known.get(path)
  const answer = await ask({ path, ...range, etag: before?.etag, signal })
  if (before === undefined) known.set(path, answer.description)
  else if (before.etag !== answer.description.etag) {
    await discard(answer.body)
    const [was, is] = [before, answer.description].map(({ etag }) => etag ?? 'missing')
    throw new ShardError(`${path} changed while it was read: its ETag was ${was}, is ${is}`)
  }
  return answer
}

async function probe(remote: Remote): Promise<RangeAnswer> {
  const answer = await askSame(remote, { start: 0, end: 1 })
  await discard(answer.body)
  return answer
}

async function readRange(remote: Remote, range: Range): Promise<Buffer> {
  const { start, end } = range
  if (start >= end) return Buffer.alloc(0)
  const parts: Buffer[] = []
  let at = start
  // To the end of the body, since a body that is left early costs its connection.
  for await (const chunk of resumed(remote, range)) {
    parts.push(chunk.subarray(0, Math.max(0, end - at)))
    at += chunk.length
    if (at > end) break
  }
  return Buffer.concat(parts)
}

/** The bytes of a range; asked for again from where an answer broke off. */
async function* resumed(remote: Remote, { start, end }: Range): AsyncGenerator<Buffer> {
  const { path, signal, retryBaseMs } = remote
  let at = start
  for (let failures = 0; ;) {
    let body: Readable | undefined
    try {
      const answer = await askSame(remote, { start: at, end })
      body = answer.body
      let skip = answer.isPartial ? 0 : at
      if (answer.isPastEnd) return
      for await (const chunk of body as AsyncIterable<Buffer>) {
        signal.throwIfAborted()
        const kept = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - kept.length
        if (kept.length === 0) continue
        failures = 0
        at += kept.length
        yield kept
      }
      const { size } = answer.description
      if (at >= Math.min(end, Number.isFinite(size) ? size : at)) return
      throw new Error(`the connection ended ${Math.min(end, size) - at} bytes early`)
    } catch (error) {
      signal.throwIfAborted()
      if (FINAL.some((kind) => error instanceof kind)) throw error
      if (++failures >= ATTEMPTS) {
        const where = `${path} at byte ${at}`
        throw new ShardError(`cannot read ${where}: ${messageOf(error)}`, { cause: error })
      }
      await sleep(retryBaseMs * 2 ** failures, undefined, { signal })
    } finally {
      if (body !== undefined) await discard(body)
    }
  }
}

/** Ends an answer: a short rest is read, which keeps the connection, a longer one is cut off. */
async function discard(body: Readable): Promise<void> {
  if (body.destroyed || body.readableEnded) return
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MAX_DRAIN_BYTES) break
    }
  } catch {
    // A rest that nobody wants may break off.
  }
  body.on('error', () => undefined).destroy()
}

/** The range as the header of a request names it. */
export function rangeOf(start: number, end: number): string {
  return `bytes=${start}-${Number.isFinite(end) ? end - 1 : ''}`
}

/**
 * Bytes of the whole file by the headers of an answer; infinite where they do not say.
 *
 * @param contentRange of an answer that is a range
 */
export function totalSize(
  contentRange: string | undefined,
  contentLength: string | number | undefined,
): number {
  const total = contentRange === undefined ? contentLength : /\/(\d+)$/.exec(contentRange)?.[1]
  return Number(total ?? Infinity)
}

/** The message of an error or, when several addresses were tried, of the last of them. */
export function causeOf(error: unknown): string {
  if (error instanceof AggregateError) return causeOf(error.errors.at(-1))
  const code = error instanceof Error && 'code' in error ? `${String(error.code)}: ` : ''
  return code + messageOf(error)
}
