// A URL to its bytes: guard, site policy, politeness, redirects, retries. The order of a row:
// circuit -> site policy -> slot of its host -> request, per hop; then again after a delay if the
// failure may pass.

import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { getDomain } from 'tldts'
import { SampleError } from '../../core/errors.ts'
import { retryOf, type ReasonCode } from '../../core/reasons.ts'
import type { FetchOptions } from './options.ts'
import { createByteBudget, type ByteShare } from '../../system/byte-budget.ts'
import { createCircuits } from './circuit.ts'
import { createAddressRule, isAddress, localAddresses, parseTarget } from './guard.ts'
import { createHostScheduler } from './host-scheduler.ts'
import { headerRefusal, seenDirectives } from './opt-out.ts'
import { createResolver, type DnsQuery } from './resolver.ts'
import { backoff, parseRetryAfter } from './retry-after.ts'
import { createSitePolicies } from './site-policy.ts'
import { contentEncoding, createTransport, type ResponseHeaders } from './transport.ts'

/** The product token, as robots.txt and X-Robots-Tag name us. */
export const PRODUCT_TOKEN = 'groundmill'
const VERSION = '0.1.0'

export interface Fetched {
  /** They count against `maxBytesInFlight` until `release` is called. */
  readonly bytes: Uint8Array
  readonly release: () => void
  /** After redirects, normalised. */
  readonly finalUrl: string
  /** Requests made for it, redirects not counted. */
  readonly attempts: number
  /** Opt-out headers that came and did not refuse, as sent. */
  readonly directives: readonly string[]
}

export interface Fetcher {
  /**
   * @param onHead sees the first bytes before the rest is read; throws to refuse them
   * @throws SampleError with host, HTTP status and attempts; the signal's reason when aborted
   */
  fetch(url: string, signal: AbortSignal, onHead?: (head: Uint8Array) => void): Promise<Fetched>
  /** The present limit of requests in flight. */
  concurrency(): number
  close(): Promise<void>
}

/** Of one request. */
export interface HopAnswer {
  readonly url: URL
  readonly status: number
  readonly headers: ResponseHeaders
  /** Milliseconds, body included. */
  readonly tookMs: number
}

/** What the loader adds and tests replace. */
export interface FetcherDeps {
  readonly query?: DnsQuery
  readonly ca?: string
  /** Throws SampleError for a URL that must not be asked, of a row or of a redirect. */
  readonly checkUrl?: (url: URL) => void
  /** Told of every answer: of images, robots.txt and the like, and redirects. */
  readonly onAnswer?: (answer: HopAnswer) => void
  readonly now?: () => number
  readonly random?: () => number
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** e.g. "groundmill/0.1.0 (+https://example.org/dataset)". */
export function userAgent(contact: string | undefined): string {
  return `${PRODUCT_TOKEN}/${VERSION}` + (contact === undefined ? '' : ` (+${contact})`)
}

/** The registrable domain of a host by the Public Suffix List, else the host: whose servers it loads. */
export function hostGroup(host: string): string {
  if (isAddress(host)) return host
  return getDomain(host, { allowPrivateDomains: true }) ?? host
}

const IMAGE_ACCEPT = 'image/jpeg,image/png,image/webp,image/gif;q=0.9,image/*;q=0.5,*/*;q=0.1'
// Time-outs mean that the link or the resolver has too much to do.
const CONGESTION = new Set<ReasonCode>(['dns_timeout', 'connect_timeout', 'deadline', 'stalled'])
// What counts against a host: it cannot be reached or cannot serve.
const HOST_FAILURE = /^(dns_|connect_|tls_error|deadline|stalled)/

export function createFetcher(options: FetchOptions, deps: FetcherDeps = {}): Fetcher {
  const now = deps.now ?? Date.now
  const sleep = deps.sleep ?? pause
  const rule = createAddressRule({ ...options, ownAddresses: localAddresses() })
  const transport = createTransport({
    ...options,
    userAgent: userAgent(options.contact),
    ca: deps.ca,
    rule,
    resolver: createResolver(options, rule, { query: deps.query, now }),
  })
  const scheduler = createHostScheduler({
    concurrency: options.concurrency,
    perGroup: options.perHost,
    perGroupPerSecond: options.perHostPerSecond,
    now,
  })
  const circuits = createCircuits(options.circuitFailures, options.circuitCooldownMs, now)
  const budget = createByteBudget(options.maxBytesInFlight)
  const closed = new AbortController()

  /** One request in its host's slot; the outcome feeds concurrency and circuit. */
  const requestHop = async (url: URL, hop: HopOptions, signal: AbortSignal): Promise<Hop> => {
    const host = url.hostname
    const slot = await scheduler.acquire(hostGroup(host), signal)
    let congested = false
    try {
      // After the wait: the host may have failed for those before us in the queue.
      const open = circuits.remaining(host)
      if (open > 0) {
        const detail = `${host} is left alone for ${Math.ceil(open / 1000)} s`
        throw new SampleError('host_circuit_open', detail, { host })
      }
      const answer = await transport.get(url, { ...hop, signal })
      deps.onAnswer?.({ url, ...answer })
      if (answer.status >= 500) circuits.failed(host)
      else circuits.succeeded(host)
      return answer
    } catch (error) {
      if (error instanceof SampleError) {
        congested = CONGESTION.has(error.code)
        if (HOST_FAILURE.test(error.code)) circuits.failed(host)
      }
      throw error
    } finally {
      slot.release(congested)
    }
  }

  /** Follows redirects with the whole guard on each hop. */
  const follow = async (start: URL, ask: AskOptions, signal: AbortSignal): Promise<Answer> => {
    let url = start
    let leftMs = options.deadlineMs
    for (let hops = 0; ; hops++) {
      if (leftMs <= 0) throw new SampleError('deadline', `not done in ${options.deadlineMs} ms`)
      let target: string | undefined
      try {
        await ask.before?.(url)
        const answer = await requestHop(
          url,
          {
            ...ask,
            deadlineMs: Math.min(leftMs, options.deadlineMs),
            onHeaders: (status, headers) => {
              target = redirectTarget(status, headers)
              if (target !== undefined) return false
              return ask.onHeaders(status, headers, url)
            },
          },
          signal,
        )
        if (target === undefined) return { ...answer, url }
        leftMs -= answer.tookMs
      } catch (error) {
        throw hops === 0 ? error : asRedirectError(error, url)
      }
      if (hops === options.maxRedirects) {
        throw new SampleError('redirect_limit', `more than ${options.maxRedirects} redirects`, {
          host: url.hostname,
        })
      }
      url = redirectTo(target, url)
    }
  }

  const redirectTo = (target: string, from: URL): URL => {
    let url: URL
    try {
      url = parseTarget(target, options.ports, rule, from)
    } catch (error) {
      throw asRedirectError(error, from)
    }
    if (from.protocol === 'https:' && url.protocol === 'http:' && !options.allowDowngrade) {
      throw new SampleError('redirect_blocked', `from https to ${url.href}`, {
        host: from.hostname,
      })
    }
    return url
  }

  const fetchText = async (url: URL, maxBytes: number) => {
    const share = budget.open()
    try {
      const { status, headers, body } = await follow(
        url,
        {
          maxBytes,
          share,
          cut: true,
          accept: 'text/plain,*/*;q=0.5',
          onHeaders: (status) => status < 300,
        },
        closed.signal,
      )
      if (status >= 400 && status < 500) return null
      if (status !== 200) throw statusError(status, headers, url)
      const text = await decodeBody(body, headers, maxBytes, share, closed.signal)
      return new TextDecoder().decode(text)
    } catch (error) {
      if (error instanceof SampleError && error.code === 'redirect_limit') return null
      throw error
    } finally {
      share.keep(0)
    }
  }
  const sites = createSitePolicies(options, PRODUCT_TOKEN, fetchText, now)

  const attempt = async (
    url: URL,
    share: ByteShare,
    signal: AbortSignal,
    onHead?: (head: Uint8Array) => void,
  ): Promise<Omit<Fetched, 'attempts' | 'release'>> => {
    const answer = await follow(
      url,
      {
        maxBytes: options.maxBytes,
        share,
        accept: IMAGE_ACCEPT,
        before: async (hop) => {
          deps.checkUrl?.(hop)
          await sites.check(hop, signal)
        },
        onHeaders: (status, headers, hop) => {
          if (!hasImage(status)) return false
          const refusal = headerRefusal(headers, options.optOut, PRODUCT_TOKEN)
          if (refusal === undefined) return true
          throw new SampleError('optout_header', refusal, { host: hop.hostname })
        },
        ...(onHead === undefined ? {} : { onHead }),
      },
      signal,
    )
    if (!hasImage(answer.status)) {
      const retryAfter = parseRetryAfter(answer.headers['retry-after'], now())
      throw new StatusFailure(statusError(answer.status, answer.headers, answer.url), retryAfter)
    }
    const bytes = await decodeBody(answer.body, answer.headers, options.maxBytes, share, signal)
    if (bytes.length === 0) {
      const context = { host: answer.url.hostname, httpStatus: answer.status }
      throw new SampleError('body_empty', `HTTP ${answer.status} without a body`, context)
    }
    return { bytes, finalUrl: answer.url.href, directives: seenDirectives(answer.headers) }
  }

  /** Milliseconds to the next attempt; undefined if there is none. */
  const waitBeforeRetry = (
    error: SampleError,
    retryAfter: number | undefined,
    attempts: number,
  ): number | undefined => {
    const host = error.context.host
    if (retryAfter !== undefined && host !== undefined) {
      if (retryAfter > options.maxRetryAfterMs) {
        circuits.park(host, retryAfter)
        return undefined
      }
      scheduler.pause(hostGroup(host), now() + retryAfter)
    }
    const mayPass = retryOf(error.code) === 'now' || error.code === 'http_429'
    if (attempts > options.retries || !mayPass) return undefined
    return retryAfter ?? backoff(attempts - 1, options.retryBaseMs, options.retryCapMs, deps.random)
  }

  return {
    fetch: async (text, signal, onHead) => {
      const url = parseTarget(text, options.ports, rule)
      for (let attempts = 1; ; attempts++) {
        closed.signal.throwIfAborted()
        const share = budget.open()
        const release = () => {
          share.keep(0)
        }
        try {
          return { ...(await attempt(url, share, signal, onHead)), attempts, release }
        } catch (thrown) {
          release()
          const error = thrown instanceof StatusFailure ? thrown.error : thrown
          if (!(error instanceof SampleError)) throw error
          const retryAfter = thrown instanceof StatusFailure ? thrown.retryAfter : undefined
          const wait = waitBeforeRetry(error, retryAfter, attempts)
          if (wait === undefined) throw withAttempts(error, attempts, url)
          await sleep(wait, signal)
        }
      }
    },
    concurrency: () => scheduler.limit(),
    close: async () => {
      closed.abort(new Error('the fetcher was closed'))
      await transport.close()
    },
  }
}

type GetOptions = Parameters<ReturnType<typeof createTransport>['get']>[1]
type HopOptions = Omit<GetOptions, 'signal'>
type Hop = Awaited<ReturnType<ReturnType<typeof createTransport>['get']>>
type Answer = Hop & { readonly url: URL }

interface AskOptions extends Pick<GetOptions, 'maxBytes' | 'share' | 'accept' | 'cut' | 'onHead'> {
  readonly before?: (url: URL) => Promise<void>
  readonly onHeaders: (status: number, headers: ResponseHeaders, url: URL) => boolean
}

/** An answer without an image, and when the server wants to be asked again. */
class StatusFailure extends Error {
  readonly error: SampleError
  /** Milliseconds. */
  readonly retryAfter: number | undefined

  constructor(error: SampleError, retryAfter: number | undefined) {
    super(error.message)
    this.error = error
    this.retryAfter = retryAfter
  }
}

function hasImage(status: number): boolean {
  return status === 200 || status === 203
}

function withAttempts(error: SampleError, attempts: number, url: URL): SampleError {
  const context = { host: url.hostname, ...error.context, attempts }
  return new SampleError(error.code, error.message, context)
}

/** The Location of a redirect; undefined for every other answer. */
function redirectTarget(status: number, headers: ResponseHeaders): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined
  const location = headers['location']
  return typeof location === 'string' && location !== '' ? location : undefined
}

// What the guard refuses on a later hop was asked for by the redirecting server, not by the dataset.
const GUARD = /^(url_|addr_blocked)/

function asRedirectError(error: unknown, url: URL): unknown {
  if (!(error instanceof SampleError) || !GUARD.test(error.code)) return error
  return new SampleError('redirect_blocked', `${error.code}: ${error.message}`, {
    ...error.context,
    host: url.hostname,
    cause: error,
  })
}

function statusError(status: number, headers: ResponseHeaders, url: URL): SampleError {
  const context = { host: url.hostname, httpStatus: status }
  const detail = `HTTP ${status}`
  if (status === 408) return new SampleError('http_408', detail, context)
  if (status === 425) return new SampleError('http_425', detail, context)
  if (status === 429) return new SampleError('http_429', detail, context)
  if (status >= 400 && status < 500) return new SampleError('http_4xx', detail, context)
  if (status >= 500 && status < 600) return new SampleError('http_5xx', detail, context)
  if (status === 204) return new SampleError('body_empty', detail, context)
  const missing = status >= 300 && status < 400 && headers['location'] === undefined
  return new SampleError('http_invalid', missing ? `${detail} without location` : detail, context)
}

const gunzip = promisify(zlib.gunzip)
const inflate = promisify(zlib.inflate)
const unbrotli = promisify(zlib.brotliDecompress)

/** Undoes a content-encoding that came although none was asked for; never past maxBytes. */
async function decodeBody(
  body: Uint8Array,
  headers: ResponseHeaders,
  maxBytes: number,
  share: ByteShare,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const name = contentEncoding(headers)
  if (name === undefined || body.length === 0) return body
  const decode =
    name === 'gzip' || name === 'x-gzip'
      ? gunzip
      : name === 'deflate'
        ? inflate
        : name === 'br'
          ? unbrotli
          : undefined
  if (decode === undefined) throw new SampleError('body_encoding', `content-encoding ${name}`)
  // What it will be cannot be known.
  await share.take(maxBytes, signal)
  try {
    const decoded = await decode(body, { maxOutputLength: maxBytes })
    share.keep(decoded.length)
    return decoded
  } catch (error) {
    const tooLong =
      error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    if (tooLong) {
      throw new SampleError(
        'body_too_large',
        `${body.length} bytes of ${name} hold more than ${maxBytes}`,
      )
    }
    throw new SampleError('body_encoding', `${name} cannot be decoded`, { cause: error })
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error)
      return
    }
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
