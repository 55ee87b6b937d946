// One request over one checked connection: no redirects, no decompression, no proxy, no cookies.
// Every limit of the options holds here, and every way to fail has its code.

import { Agent, request, errors as undici, type Dispatcher } from 'undici'
import { SampleError, messageOf } from '../../core/errors.ts'
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
   * Called with status and headers before the body is read. Throws to refuse the body, which cuts
   * the connection; returns false for a body of no interest (a redirect, an error page).
   */
  readonly onHeaders: (status: number, headers: ResponseHeaders) => boolean
  /**
   * Called once, when at least 32 bytes or the whole body are there; throws to refuse the rest. Not
   * called for a compressed body, whose first bytes say nothing.
   */
  readonly onHead?: (head: Uint8Array) => void
  /** Keep the first maxBytes of a longer body instead of refusing it. */
  readonly cut?: boolean
}

/** Names in lower case; a repeated header is a list. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

/** One answer, with its body as far as it was wanted. */
export interface Response {
  readonly status: number
  readonly headers: ResponseHeaders
  /** As sent, still with its content-encoding; empty when onHeaders returned false. */
  readonly body: Uint8Array
  /** Milliseconds that count against the deadline. */
  readonly tookMs: number
}

/** One request at a time per socket, and nothing but that. */
export interface Transport {
  /** @throws SampleError; or the signal's reason when it is aborted */
  get(url: URL, options: GetOptions): Promise<Response>
  close(): Promise<void>
}

const MAX_HEADER_BYTES = 16 * 1024
const KEEP_ALIVE_MS = 1_000
// An unread body up to this size is drained, which keeps the connection; a longer one is cut off.
const MAX_DRAIN_BYTES = 16 * 1024
const HEAD_BYTES = 32

/** Keeps its sockets open for a moment, until it is closed. */
export function createTransport(options: TransportOptions): Transport {
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
    get: (url, get) => getOnce(agent, url, get, options),
    close: () => agent.destroy(),
  }
}

/** What the request was doing when it failed: the same broken socket means different things. */
interface Progress {
  phase: 'connect' | 'body'
  late: boolean
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
    stop: () => {
      clearTimeout(timer)
    },
  }
}
type Clock = ReturnType<typeof startClock>

async function getOnce(
  agent: Agent,
  url: URL,
  get: GetOptions,
  options: TransportOptions,
): Promise<Response> {
  get.signal.throwIfAborted()
  const progress: Progress = { phase: 'connect', late: false }
  const controller = new AbortController()
  const onAbort = () => {
    controller.abort(get.signal.reason)
  }
  get.signal.addEventListener('abort', onAbort, { once: true })
  const clock = startClock(get.deadlineMs, () => {
    progress.late = true
    controller.abort()
  })
  try {
    // Resolved ahead of the connect, so that a slow resolver is not taken for a slow server.
    if (!isAddress(url.hostname)) {
      await untilAborted(options.resolver.resolve(url.hostname), controller.signal)
    }
    return await exchange(agent, url, get, options, { controller, progress, clock })
  } catch (error) {
    get.signal.throwIfAborted()
    // Only close() does this: no failure of the sample.
    if (error instanceof undici.ClientDestroyedError || error instanceof undici.ClientClosedError) {
      throw error
    }
    throw toSampleError(error, url, get, options, progress)
  } finally {
    clock.stop()
    get.signal.removeEventListener('abort', onAbort)
  }
}

interface Attempt {
  readonly controller: AbortController
  readonly progress: Progress
  readonly clock: Clock
}

async function exchange(
  agent: Agent,
  url: URL,
  get: GetOptions,
  options: TransportOptions,
  { controller, progress, clock }: Attempt,
): Promise<Response> {
  const { statusCode, headers, body } = await request(url, {
    dispatcher: agent,
    signal: controller.signal,
    headers: {
      'user-agent': options.userAgent,
      accept: get.accept,
      'accept-encoding': 'identity',
    },
  })
  progress.phase = 'body'
  try {
    if (!get.onHeaders(statusCode, headers)) {
      await body.dump({ limit: MAX_DRAIN_BYTES, signal: controller.signal })
      const nothing = new Uint8Array(0)
      return { status: statusCode, headers, body: nothing, tookMs: clock.elapsed() }
    }
    const bytes = await readBody(body, headers, get, options, { controller, progress, clock })
    return { status: statusCode, headers, body: bytes, tookMs: clock.elapsed() }
  } catch (error) {
    // Ends the connection: the rest of a refused body is not worth its bytes.
    body.on('error', () => undefined).destroy()
    throw error
  }
}

async function readBody(
  body: Dispatcher.ResponseData['body'],
  headers: ResponseHeaders,
  get: GetOptions,
  options: TransportOptions,
  { controller, clock }: Attempt,
): Promise<Uint8Array> {
  const declared = Number(headers['content-length'])
  if (declared > get.maxBytes && get.cut !== true) throw tooLarge(`${declared} bytes declared`, get)

  const begun = clock.elapsed()
  const bytes = createBodyBytes(Math.min(declared, get.maxBytes))
  let headSeen = get.onHead === undefined || contentEncoding(headers) !== undefined
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const room = get.share.take(chunk.length, controller.signal)
    // The server is not read from meanwhile, which halts it.
    if (room !== undefined) await clock.halted(room)
    bytes.append(chunk)
    const { length } = bytes
    if (length > get.maxBytes) {
      if (get.cut === true) break
      throw tooLarge(`more than ${get.maxBytes} bytes sent`, get)
    }
    if (!headSeen && length >= HEAD_BYTES) {
      headSeen = true
      get.onHead?.(bytes.whole())
    }
    const elapsed = clock.elapsed() - begun
    if (elapsed > options.minRateGraceMs && length * 1000 < elapsed * options.minBytesPerSecond) {
      throw new SampleError(
        'stalled',
        `${length} bytes in ${Math.round(elapsed)} ms; the minimum is ${options.minBytesPerSecond} bytes/s`,
      )
    }
  }
  const whole = bytes.whole()
  if (!headSeen && whole.length > 0) get.onHead?.(whole)
  return whole.length > get.maxBytes ? whole.subarray(0, get.maxBytes) : whole
}

function tooLarge(what: string, get: GetOptions): SampleError {
  return new SampleError('body_too_large', `${what}; the limit is ${get.maxBytes}`)
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

function toSampleError(
  error: unknown,
  url: URL,
  get: GetOptions,
  options: TransportOptions,
  progress: Progress,
): SampleError {
  const host = url.hostname
  const context = { host, cause: error }
  if (error instanceof SampleError) {
    return new SampleError(error.code, error.message, { ...error.context, host })
  }
  if (progress.late) return new SampleError('deadline', `not done in ${get.deadlineMs} ms`, context)
  const code = errorCode(error)
  const detail = code === '' ? messageOf(error) : code
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return new SampleError('connect_timeout', `limit ${options.connectTimeoutMs} ms`, context)
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    return new SampleError('deadline', `no headers in ${options.headersTimeoutMs} ms`, context)
  }
  if (code === 'UND_ERR_BODY_TIMEOUT') return new SampleError('stalled', detail, context)
  if (PROTOCOL.has(code) || error instanceof undici.HTTPParserError) {
    return new SampleError('http_invalid', detail, context)
  }
  if (REFUSED.has(code)) return new SampleError('connect_refused', detail, context)
  if (RESET.has(code)) {
    return new SampleError(
      progress.phase === 'body' ? 'body_truncated' : 'connect_reset',
      detail,
      context,
    )
  }
  // Certificate and handshake failures: OpenSSL's codes and Node's own.
  if (
    url.protocol === 'https:' &&
    progress.phase === 'connect' &&
    /SSL|TLS|CERT|PROTO|VERIFY|ISSUER/.test(code)
  ) {
    return new SampleError('tls_error', detail, context)
  }
  return new SampleError('http_invalid', `${detail}: ${messageOf(error)}`, context)
}

/** The code of an error or, when several addresses were tried, of the last of them. */
function errorCode(error: unknown): string {
  if (error instanceof AggregateError) {
    const codes: string[] = error.errors.map(errorCode)
    return codes.at(-1) ?? ''
  }
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error && error.cause !== undefined ? errorCode(error.cause) : ''
}
