// A URL to its bytes: guard, site policy, politeness, redirects, retries. The order of a row:
// circuit -> site policy -> slot of its host -> request, per hop; then again after a delay if the
// failure may pass.

import { setMaxListeners } from 'node:events'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { getDomain } from 'tldts'
import { SampleError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import { createByteBudget, type ByteShare } from '../../system/byte-budget.ts'
import { VERSION } from '../../version.ts'
import { createCircuits, type Circuits } from './circuit.ts'
import { decodeBody } from './decode-body.ts'
import { createAddressRule, isAddress, localAddresses, parseTarget } from './guard.ts'
import { createHostScheduler, type HostScheduler } from './host-scheduler.ts'
import { headerRefusal, seenDirectives } from './opt-out.ts'
import type { FetchOptions } from './options.ts'
import { createFollow, type Follow, type RequestHop } from './redirects.ts'
import { createResolver, type DnsQuery } from './resolver.ts'
import { createRetries, statusError, StatusFailure } from './retry.ts'
import { createSitePolicies, type FetchText, type SitePolicies } from './site-policy.ts'
import { createTransport, type ResponseHeaders, type Transport } from './transport.ts'

/** The product token, as robots.txt and X-Robots-Tag name us. */
export const PRODUCT_TOKEN = 'groundmill'

/** Encoded bytes, and how they came. */
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

/** Fetches as politely as its options say; calls may overlap. */
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

/** Keeps its sockets and what it knows of hosts until it is closed. */
export function createFetcher(options: FetchOptions, deps: FetcherDeps = {}): Fetcher {
  const now = deps.now ?? Date.now
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
  setMaxListeners(0, closed.signal) // one per site that is asked for its policy

  const hops = createHops({ transport, scheduler, circuits, onAnswer: deps.onAnswer })
  const follow = createFollow({ ...options, rule }, hops)
  const openShare = () => budget.open()
  const fetchText = createTextFetch(follow, openShare, closed.signal)
  const sites = createSitePolicies(options, PRODUCT_TOKEN, fetchText, now)
  const withRetries = createRetries(options, {
    circuits,
    scheduler,
    groupOf: hostGroup,
    now,
    random: deps.random,
    sleep: deps.sleep ?? pause,
  })
  const attempt = createAttempt(options, { follow, sites, checkUrl: deps.checkUrl, now })

  return {
    fetch: async (text, signal, onHead) => {
      const url = parseTarget(text, options.ports, rule)
      return withRetries(url, signal, async () => {
        closed.signal.throwIfAborted()
        const share = budget.open()
        const release = () => share.keep(0)
        try {
          return { ...(await attempt(url, { share, signal, onHead })), release }
        } catch (error) {
          release()
          throw error
        }
      })
    },
    concurrency: () => scheduler.limit(),
    close: async () => {
      closed.abort(new Error('the fetcher was closed'))
      await transport.close()
    },
  }
}

interface HopDeps {
  readonly onAnswer: FetcherDeps['onAnswer'] | undefined
  readonly transport: Transport
  readonly scheduler: HostScheduler
  readonly circuits: Circuits
}

/** One request in its host's slot; the outcome feeds concurrency and circuit. */
function createHops({ transport, scheduler, circuits, onAnswer }: HopDeps): RequestHop {
  return async (url, get) => {
    const host = url.hostname
    const slot = await scheduler.acquire(hostGroup(host), get.signal)
    let congested = false
    try {
      // After the wait: the host may have failed for those before us in the queue.
      const open = circuits.remaining(host)
      if (open > 0) {
        const detail = `${host} is left alone for ${Math.ceil(open / 1000)} s`
        throw new SampleError('host_circuit_open', detail, { host })
      }
      const response = await transport.get(url, get)
      onAnswer?.({ url, ...response })
      if (response.status >= 500) circuits.failed(host)
      else circuits.succeeded(host)
      return response
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
}

/** Small text files of a site. */
function createTextFetch(
  follow: Follow,
  openShare: () => ByteShare,
  signal: AbortSignal,
): FetchText {
  return async (url, maxBytes) => {
    const share = openShare()
    try {
      const response = await follow(url, {
        maxBytes,
        share,
        signal,
        cut: true,
        accept: 'text/plain,*/*;q=0.5',
        onHeaders: (status) => status < 300,
      })
      const { status, headers } = response
      if (status >= 400 && status < 500) return null
      if (status !== 200) throw statusError(status, headers, url)
      return new TextDecoder().decode(await decodeBody(response, { maxBytes, share, signal }))
    } catch (error) {
      if (error instanceof SampleError && error.code === 'redirect_limit') return null
      throw error
    } finally {
      share.keep(0)
    }
  }
}

interface AttemptDeps {
  readonly checkUrl: FetcherDeps['checkUrl'] | undefined
  readonly follow: Follow
  readonly sites: SitePolicies
  readonly now: () => number
}

interface AttemptOptions {
  readonly share: ByteShare
  readonly signal: AbortSignal
  readonly onHead: ((head: Uint8Array) => void) | undefined
}

type Image = Pick<Fetched, 'bytes' | 'finalUrl' | 'directives'>

/** One attempt at an image, if its site and its headers allow it. */
function createAttempt(options: FetchOptions, { follow, sites, checkUrl, now }: AttemptDeps) {
  const { maxBytes, optOut } = options
  const isWanted = (status: number, headers: ResponseHeaders, url: URL): boolean => {
    if (!hasImage(status)) return false
    const refusal = headerRefusal(headers, optOut, PRODUCT_TOKEN)
    if (refusal === undefined) return true
    throw new SampleError('optout_header', refusal, { host: url.hostname })
  }
  return async (start: URL, { share, signal, onHead }: AttemptOptions): Promise<Image> => {
    const response = await follow(start, {
      maxBytes,
      share,
      signal,
      accept: IMAGE_ACCEPT,
      before: async (url) => {
        checkUrl?.(url)
        await sites.check(url, signal)
      },
      onHeaders: isWanted,
      ...(onHead === undefined ? {} : { onHead }),
    })
    const { status, headers, url } = response
    if (!hasImage(status)) throw new StatusFailure(status, headers, url, now())
    const bytes = await decodeBody(response, { maxBytes, share, signal })
    if (bytes.length === 0) {
      const context = { host: url.hostname, httpStatus: status }
      throw new SampleError('body_empty', `HTTP ${status} without a body`, context)
    }
    return { bytes, finalUrl: url.href, directives: seenDirectives(headers) }
  }
}

function hasImage(status: number): boolean {
  return status === 200 || status === 203
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleepFor(ms, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted() // its reason, not the timer's own error
    throw error
  }
}
