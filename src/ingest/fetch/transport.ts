// One request over one checked connection: no redirects, no decompression, no proxy, no cookies.
// Every limit of the options holds here, and every way to fail has its code.

import { Agent, request, errors as undici, type Dispatcher } from 'undici'
import { SampleError, messageOf } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import { createBodyBytes } from './body-bytes.ts'
import type { ByteShare } from '../../system/byte-budget.ts'
import { untilAborted } from '../../system/deadline.ts'
import { guardedConnector, type ConnectorOptions } from './connector.ts'
import { isAddress } from './guard.ts'

/** Who asks, and what a request may take; times in milliseconds. */
export interface TransportOptions extends ConnectorOptions {
  readonly userAgent: string
  /** Sockets per origin. */
  readonly perHost: number
  readonly headersTimeoutMs: number
  readonly minBytesPerSecond: number
  readonly minRateGraceMs: number
}

/** Of one request; times in milliseconds. */
export interface GetOptions {
  /** Aborted by the caller alone; the deadline is separate so that its failure has its own code. */
  readonly signal: AbortSignal
  /** From now to the last byte, without the time that the share made it wait. */
  readonly deadlineMs: number
  readonly maxBytes: number
  /** Takes the bytes of the body; the caller gives them back. */
  readonly share: ByteShare
  readonly accept: string
  /**
   * Called before the body is read. Throws to refuse the body, which cuts the connection; returns
   * false for a body of no interest (a redirect, an error page).
   */
  readonly onHeaders: (head: Head) => boolean
  /**
   * Called once, when at least 32 bytes or the whole body are there; throws to refuse the rest. Not
   * called for a compressed body, whose first bytes say nothing.
   */
  readonly onHead?: ((head: Uint8Array) => void) | undefined
  /** Keep the first maxBytes of a longer body instead of refusing it. */
  readonly cut?: boolean
}

/** Names in lower case; a repeated header is a list. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

/** An answer before its body. */
export interface Head {
  /** That was asked. */
  readonly url: URL
  readonly status: number
  readonly headers: ResponseHeaders
}

/** One answer, with its body as far as it was wanted. */
export interface Response extends Head {
  /** As sent, still with its content-encoding; empty when onHeaders returned false. */
  readonly body: Uint8Array
  /** Milliseconds that count against the deadline. */
  readonly tookMs: number
}

const MAX_HEADER_BYTES = 16 * 1024
const KEEP_ALIVE_MS = 1_000
// An unread body up to this size is drained, which keeps the connection; a longer one is cut off.
const MAX_DRAIN_BYTES = 16 * 1024
const HEAD_BYTES = 32

/** One request at a time per socket, and nothing but that; keeps its sockets open until it is closed. */
export function createTransport(options: TransportOptions) {
  const agent = new Agent({
    connect: guardedConnector(options),
    connections: options.perHost,
    pipelining: 1,
    headersTimeout: options.headersTimeoutMs,
    // Bytes that stop coming; a drip is caught by the minimum rate and the deadline.
    bodyTimeout: Math.max(options.minRateGraceMs, 1000),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
  })
  return {
    /** @throws SampleError; or the signal's reason when it is aborted */
    get: (url: URL, get: GetOptions) => getOnce(url, { ...options, ...get, agent }),
    close: () => agent.destroy(),
  }
}

/** Calls back after a time that can be halted, for waits that are nobody's fault. */
function startClock(ms: number, onEnd: () => void) {
  let passed = 0
  let since = performance.now()
  let timer = setTimeout(onEnd, ms)
  const elapsed = () => passed + performance.now() - since
  return {
    /** Milliseconds that were not halted. */
    elapsed,
    halted: async (wait: Promise<void>): Promise<void> => {
      passed = elapsed()
      clearTimeout(timer)
      try {
        await wait
      } finally {
        since = performance.now()
        timer = setTimeout(onEnd, ms - passed)
      }
    },
    stop: () => clearTimeout(timer),
  }
}

interface Attempt extends GetOptions, TransportOptions {
  readonly agent: Agent
}

async function getOnce(url: URL, attempt: Attempt): Promise<Response> {
  const { signal } = attempt
  signal.throwIfAborted()
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const clock = startClock(attempt.deadlineMs, () => controller.abort())
  const running: Running = { ...attempt, url, clock, signal: controller.signal, isAnswered: false }
  try {
    // Resolved ahead of the connect, so that a slow resolver is not taken for a slow server.
    if (!isAddress(url.hostname)) {
      await untilAborted(attempt.resolve(url.hostname), controller.signal)
    }
    return await exchange(running)
  } catch (error) {
    signal.throwIfAborted()
    // Only close() does this: no failure of the sample.
    if (error instanceof undici.ClientDestroyedError || error instanceof undici.ClientClosedError) {
      throw error
    }
    throw toSampleError(error, running)
  } finally {
    clock.stop()
    signal.removeEventListener('abort', onAbort)
  }
}

interface Running extends Attempt {
  readonly url: URL
  readonly clock: ReturnType<typeof startClock>
  /** Aborted by the caller or by the clock. */
  readonly signal: AbortSignal
  /** The headers have come: the same broken socket means different things before and after. */
  isAnswered: boolean
}

async function exchange(running: Running): Promise<Response> {
  const { agent, url, signal, accept, userAgent, clock } = running
  const { statusCode, headers, body } = await request(url, {
    dispatcher: agent,
    signal,
    headers: { 'user-agent': userAgent, accept, 'accept-encoding': 'identity' },
  })
  running.isAnswered = true
  const head = { url, status: statusCode, headers }
  try {
    const isWanted = running.onHeaders(head)
    const bytes = isWanted ? await readBody({ body, headers }, running) : new Uint8Array(0)
    if (!isWanted) await body.dump({ limit: MAX_DRAIN_BYTES, signal })
    return { ...head, body: bytes, tookMs: clock.elapsed() }
  } catch (error) {
    // Ends the connection: the rest of a refused body is not worth its bytes.
    body.on('error', () => undefined).destroy()
    throw error
  }
}

async function readBody(
  { body, headers }: Pick<Dispatcher.ResponseData, 'body' | 'headers'>,
  running: Running,
): Promise<Uint8Array> {
  const { maxBytes, cut, onHead, share, clock, minRateGraceMs, minBytesPerSecond } = running
  const declared = Number(headers['content-length'])
  if (declared > maxBytes && cut !== true) throw tooLarge(`${declared} bytes declared`, maxBytes)

  const begun = clock.elapsed()
  const bytes = createBodyBytes(Math.min(declared, maxBytes))
  let headSeen = onHead === undefined || contentEncoding(headers) !== undefined
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const room = share.take(chunk.length, running.signal)
    // The server is not read from meanwhile, which halts it.
    if (room !== undefined) await clock.halted(room)
    bytes.append(chunk)
    const { length } = bytes
    if (length > maxBytes) {
      if (cut === true) break
      throw tooLarge(`more than ${maxBytes} bytes sent`, maxBytes)
    }
    if (!headSeen && length >= HEAD_BYTES) {
      headSeen = true
      onHead?.(bytes.whole())
    }
    const elapsed = clock.elapsed() - begun
    if (elapsed > minRateGraceMs && length * 1000 < elapsed * minBytesPerSecond) {
      const rate = `${length} bytes in ${Math.round(elapsed)} ms`
      throw new SampleError('stalled', `${rate}; the minimum is ${minBytesPerSecond} bytes/s`)
    }
  }
  const whole = bytes.whole()
  if (!headSeen && whole.length > 0) onHead?.(whole)
  return whole.length > maxBytes ? whole.subarray(0, maxBytes) : whole
}

function tooLarge(what: string, maxBytes: number): SampleError {
  return new SampleError('body_too_large', `${what}; the limit is ${maxBytes}`)
}

/** The content-encoding in lower case; undefined for none. */
export function contentEncoding(headers: ResponseHeaders): string | undefined {
  const value = headers['content-encoding']
  const name = (typeof value === 'string' ? value : (value ?? []).join()).trim().toLowerCase()
  return name === '' || name === 'identity' ? undefined : name
}

const REFUSED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES'])
const RESET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET'])
const PROTOCOL = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'])

function toSampleError(error: unknown, running: Running): SampleError {
  const { url, deadlineMs } = running
  const host = url.hostname
  if (error instanceof SampleError) {
    return new SampleError(error.code, error.message, { ...error.context, host })
  }
  const failed = (reason: ReasonCode, detail: string) =>
    new SampleError(reason, detail, { host, cause: error })
  // By the clock: an abort of the caller's has been thrown.
  if (running.signal.aborted) return failed('deadline', `not done in ${deadlineMs} ms`)
  const code = errorCode(error)
  const detail = code === '' ? messageOf(error) : code
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return failed('connect_timeout', `limit ${running.connectTimeoutMs} ms`)
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    return failed('deadline', `no headers in ${running.headersTimeoutMs} ms`)
  }
  if (code === 'UND_ERR_BODY_TIMEOUT') return failed('stalled', detail)
  if (PROTOCOL.has(code) || error instanceof undici.HTTPParserError) {
    return failed('http_invalid', detail)
  }
  if (REFUSED.has(code)) return failed('connect_refused', detail)
  if (RESET.has(code))
    return failed(running.isAnswered ? 'body_truncated' : 'connect_reset', detail)
  // Certificate and handshake failures: OpenSSL's codes and Node's own.
  const isHandshake = url.protocol === 'https:' && !running.isAnswered
  if (isHandshake && /SSL|TLS|CERT|PROTO|VERIFY|ISSUER/.test(code)) {
    return failed('tls_error', detail)
  }
  return failed('http_invalid', `${detail}: ${messageOf(error)}`)
}

/** The code of an error or, when several addresses were tried, of the last of them. */
function errorCode(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorCode).at(-1) ?? ''
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error && error.cause !== undefined ? errorCode(error.cause) : ''
}
