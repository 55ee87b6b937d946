// Files on web servers, by range requests and resumable streams. The addresses stand in the user's
// config, but a redirect or a name may lead anywhere: the guard of image URLs holds here too.

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request, type Dispatcher } from 'undici'
import { InputError, SampleError, ShardError, messageOf } from '../../core/errors.ts'
import { retryOf } from '../../core/reasons.ts'
import type { FetchOptions } from '../fetch-options.ts'
import { hasGlobalIpv6, userAgent } from '../fetch/fetcher.ts'
import { createAddressRule, localAddresses, parseTarget } from '../fetch/guard.ts'
import { createDnsQuery, createResolver } from '../fetch/resolver.ts'
import { parseRetryAfter } from '../fetch/retry-after.ts'
import { guardedConnector } from '../fetch/transport.ts'
import type { FileDescription, FilesDeps, OpenFile, SourceFiles } from './files.ts'
import { createForwardFile } from './forward-file.ts'

const ATTEMPTS = 5
const MAX_PAUSE_MS = 60_000
/** A body from which nothing comes for this long is asked for again. */
const STALL_MS = 30_000
const MAX_DRAIN_BYTES = 64 * 1024

export function createHttpFiles(options: FetchOptions, deps: FilesDeps = {}): SourceFiles {
  const rule = createAddressRule({ ...options, ownAddresses: localAddresses() })
  const agent = new Agent({
    connect: guardedConnector({
      connectTimeoutMs: options.connectTimeoutMs,
      rule,
      ca: deps.ca,
      resolver: createResolver({
        query: deps.query ?? createDnsQuery(options.dnsServers, options.dnsTimeoutMs),
        rule,
        ipv6: options.ipv6 === 'auto' ? hasGlobalIpv6() : options.ipv6,
        timeoutMs: options.dnsTimeoutMs,
      }),
    }),
    connections: 8,
    pipelining: 1,
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: STALL_MS,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
  })
  const ask: Ask = (path, range, signal) =>
    askWithRedirects(path, range, signal, {
      agent,
      agentName: userAgent(options.contact),
      target: (url, base) => parseTarget(url, options.ports, rule, base),
      maxRedirects: options.maxRedirects,
      allowDowngrade: options.allowDowngrade,
      pauseMs: (attempt) => Math.min(MAX_PAUSE_MS, options.retryBaseMs * 2 ** attempt),
    })
  // What each file was when it was first asked for: a change while it is read would mix two files.
  const known = new Map<string, FileDescription>()
  const sameFile = (path: string, { description }: Answer): void => {
    const before = known.get(path)
    if (before === undefined) known.set(path, description)
    else if (before.etag !== description.etag) {
      const [was, is] = [before, description].map(({ etag }) => etag ?? 'missing')
      throw new ShardError(`${path} changed while it was read: its ETag was ${was}, is ${is}`)
    }
  }
  const probe = async (path: string, signal: AbortSignal): Promise<Answer> => {
    const answer = await ask(path, { start: 0, end: 1 }, signal)
    await discard(answer.body)
    sameFile(path, answer)
    return answer
  }
  const describe = async (path: string, signal: AbortSignal): Promise<FileDescription> =>
    known.get(path) ?? (await probe(path, signal)).description
  const readRange = async (
    path: string,
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<Buffer> => {
    if (start >= end) return Buffer.alloc(0)
    const parts: Buffer[] = []
    let at = start
    for await (const chunk of resumed(path, start, end, signal)) {
      parts.push(chunk.subarray(0, end - at))
      at += chunk.length
      if (at >= end) break
    }
    return Buffer.concat(parts)
  }
  /** Bytes [start, end) of the file; asked for again from where an answer broke off. */
  async function* resumed(
    path: string,
    start: number,
    end: number,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    let at = start
    for (let failures = 0; ;) {
      let body: Dispatcher.ResponseData['body'] | undefined
      try {
        const answer = await ask(path, { start: at, end }, signal)
        body = answer.body
        sameFile(path, answer)
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
        if (error instanceof ShardError || error instanceof InputError) throw error
        if (++failures >= ATTEMPTS) {
          const where = `${path} at byte ${at}`
          throw new ShardError(`cannot read ${where}: ${messageOf(error)}`, { cause: error })
        }
        await sleep(options.retryBaseMs * 2 ** failures, undefined, { signal })
      } finally {
        if (body !== undefined) await discard(body)
      }
    }
  }
  const open = async (path: string, signal: AbortSignal): Promise<OpenFile> => {
    const answer = await probe(path, signal)
    if (!answer.isPartial) {
      throw new InputError(
        `${path}: the server does not answer range requests; download the file and name the copy`,
      )
    }
    const { size } = answer.description
    return {
      size,
      read: (start, length) => readRange(path, start, Math.min(start + length, size), signal),
      close: async () => undefined,
    }
  }
  return {
    open,
    openForward: async (path, signal) => {
      const { size } = await describe(path, signal)
      return createForwardFile(size, (offset) => resumed(path, offset, Infinity, signal))
    },
    stream: (path, offset, signal) => resumed(path, offset, Infinity, signal),
    describe,
    close: () => agent.destroy(),
  }
}

/** Ends an answer: a short rest is read, which keeps the connection, a longer one is cut off. */
async function discard(body: Dispatcher.ResponseData['body']): Promise<void> {
  if (body.destroyed || body.readableEnded) return
  await body.dump({ limit: MAX_DRAIN_BYTES }).catch(() => undefined)
  body.on('error', () => undefined).destroy()
}

interface Range {
  readonly start: number
  /** Exclusive; infinite: to the end. */
  readonly end: number
}

interface Answer {
  readonly body: Dispatcher.ResponseData['body']
  readonly description: FileDescription
  /** The body is the range, not the whole file. */
  readonly isPartial: boolean
  /** The range begins at or behind the end of the file. */
  readonly isPastEnd: boolean
}

type Ask = (path: string, range: Range, signal: AbortSignal) => Promise<Answer>

interface AskOptions {
  readonly agent: Agent
  readonly agentName: string
  /** @throws SampleError for what must not be asked */
  readonly target: (url: string, base?: URL) => URL
  readonly maxRedirects: number
  readonly allowDowngrade: boolean
  /** Before the attempt after this one, counted from 1. */
  readonly pauseMs: (attempt: number) => number
}

/**
 * @throws InputError if the file is not there or must not be asked for, ShardError if the server
 *   cannot serve it now
 */
async function askWithRedirects(
  path: string,
  range: Range,
  signal: AbortSignal,
  options: AskOptions,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(path, range, signal, options)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SampleError && retryOf(error.code) === 'never') {
        throw new InputError(`${path}: ${error.code}: ${error.message}`, { cause: error })
      }
      if (error instanceof InputError || error instanceof ShardError) throw error
      if (attempt === ATTEMPTS) {
        throw new ShardError(`cannot read ${path}: ${causeOf(error)}`, { cause: error })
      }
      const asked = error instanceof Busy ? error.retryAfterMs : undefined
      await sleep(Math.min(MAX_PAUSE_MS, asked ?? options.pauseMs(attempt)), undefined, { signal })
    }
  }
}

/** An answer that may be another one later. */
class Busy extends Error {
  readonly retryAfterMs: number | undefined

  constructor(message: string, retryAfterMs: number | undefined) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

async function askOnce(
  path: string,
  range: Range,
  signal: AbortSignal,
  options: AskOptions,
): Promise<Answer> {
  let url = options.target(path)
  for (let hops = 0; hops <= options.maxRedirects; hops++) {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: options.agent,
      signal,
      headers: {
        'user-agent': options.agentName,
        'accept-encoding': 'identity',
        range: `bytes=${range.start}-${Number.isFinite(range.end) ? range.end - 1 : ''}`,
      },
    })
    const location = headers['location']
    if (statusCode >= 300 && statusCode < 400 && typeof location === 'string') {
      await body.dump()
      const next = options.target(location, url)
      if (url.protocol === 'https:' && next.protocol === 'http:' && !options.allowDowngrade) {
        throw new InputError(`${path}: redirected from https to ${next.href}`)
      }
      url = next
      continue
    }
    if (statusCode === 200 || statusCode === 206 || statusCode === 416) {
      return toAnswer(statusCode, headers, body, path)
    }
    await body.dump()
    const status = `HTTP ${statusCode}`
    if (statusCode === 429 || statusCode >= 500) {
      throw new Busy(status, parseRetryAfter(headers['retry-after'], Date.now()))
    }
    throw new InputError(`${path}: ${status}`)
  }
  throw new InputError(`${path}: more than ${options.maxRedirects} redirects`)
}

function toAnswer(
  status: number,
  headers: Dispatcher.ResponseData['headers'],
  body: Dispatcher.ResponseData['body'],
  path: string,
): Answer {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    body.on('error', () => undefined).destroy()
    throw new InputError(`${path}: sent with content-encoding ${String(encoding)}`)
  }
  const total = /\/(\d+)$/.exec(String(headers['content-range'] ?? ''))?.[1]
  const length = status === 200 ? headers['content-length'] : total
  const etag = headers['etag'] ?? headers['last-modified']
  return {
    body,
    description: {
      size: length === undefined ? Infinity : Number(length),
      ...(typeof etag === 'string' ? { etag } : {}),
    },
    isPartial: status !== 200,
    isPastEnd: status === 416,
  }
}

/** The message of an error or, when several addresses were tried, of the last of them. */
function causeOf(error: unknown): string {
  if (error instanceof AggregateError) return causeOf(error.errors.at(-1))
  const code = error instanceof Error && 'code' in error ? `${String(error.code)}: ` : ''
  return code + messageOf(error)
}
