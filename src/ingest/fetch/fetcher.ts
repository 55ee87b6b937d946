// A URL to its bytes: guard, site policy, politeness, redirects, retries. The order of a row:
// circuit -> site policy -> slot of its host -> request, per hop; then again after a delay if the
// failure may pass.

import { setMaxListeners } from 'node:events'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { getDomain } from 'tldts'
import { SampleError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import { createByteBudget } from '../../system/byte-budget.ts'
import { VERSION } from '../../version.ts'
import { createCircuits, type Circuits } from './circuit.ts'
import { decodeBody } from './decode-body.ts'
import { createAddressRule, isAddress, localAddresses, parseTarget } from './guard.ts'
import { createHostScheduler, type HostScheduler } from './host-scheduler.ts'
import { headerRefusal, seenDirectives } from './opt-out.ts'
import type { FetchOptions } from './options.ts'
import { createFollow, type Follow, type FollowOptions, type RequestHop } from './redirects.ts'
import { createResolver, type DnsQuery } from './resolver.ts'
import { createRetries, statusError, StatusFailure } from './retry.ts'
import { PRODUCT_TOKEN } from './robots.ts'
import { createSitePolicies, type CheckSite, type FetchText } from './site-policy.ts'
import { createTransport, type Head, type Response } from './transport.ts'

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

/** Of one request. */
export type HopAnswer = Head & Pick<Response, 'tookMs'>

/** What the loader adds and tests replace. */
export interface FetcherDeps {
  readonly query?: DnsQuery
  readonly ca?: string
  /** Throws SampleError for a URL that must not be asked, of a row or of a redirect. */
  readonly checkUrl?: ((url: URL) => void) | undefined
  /** Told of every answer: of images, robots.txt and the like, and redirects. */
  readonly onAnswer?: ((answer: HopAnswer) => void) | undefined
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

/**
 * Fetches as politely as its options say; calls may overlap. Keeps its sockets and what it knows of hosts
 * until it is closed.
 */
export function createFetcher(options: FetchOptions, deps: FetcherDeps = {}) {
  const { query, ca, checkUrl, onAnswer, now = Date.now, random, sleep = pause } = deps
  const rule = createAddressRule({ ...options, ownAddresses: localAddresses() })
  const transport = createTransport({
    ...options,
    userAgent: userAgent(options.contact),
    ca,
    rule,
    resolve: createResolver({ ...options, rule }, { query, now }),
  })
  const scheduler = createHostScheduler({
    concurrency: options.concurrency,
    perGroup: options.perHost,
    perGroupPerSecond: options.perHostPerSecond,
    now,
  })
  const circuits = createCircuits(options, now)
  const budget = createByteBudget(options.maxBytesInFlight)
  const closed = new AbortController()
  setMaxListeners(0, closed.signal) // one per site that is asked for its policy

  const requestHop = createHops({ transport, scheduler, circuits, onAnswer })
  const follow = createFollow({ ...options, rule }, requestHop)
  const fetchText = createTextFetch(follow, { budget, signal: closed.signal })
  const checkSite = createSitePolicies({ ...options, fetchText }, now)
  const pauses = { circuits, scheduler, groupOf: hostGroup, now, random, sleep }
  const withRetries = createRetries(options, pauses)
  const attempt = createAttempt({ ...options, follow, checkSite, checkUrl, now })

  return {
    /** @throws SampleError with host, HTTP status and attempts; the signal's reason when aborted */
    fetch: async (
      text: string,
      ask: Pick<FollowOptions, 'signal' | 'onHead'>,
    ): Promise<Fetched> => {
      const url = parseTarget(text, { ...options, rule })
      return withRetries(
        async () => {
          closed.signal.throwIfAborted()
          const share = budget.open()
          const release = () => share.keep(0)
          try {
            return { ...(await attempt(url, { share, ...ask })), release }
          } catch (error) {
            release()
            throw error
          }
        },
        { url, signal: ask.signal },
      )
    },
    close: async () => {
      closed.abort(new Error('the fetcher was closed'))
      await transport.close()
    },
  }
}

interface HopDeps extends Pick<FetcherDeps, 'onAnswer'> {
  readonly transport: Pick<ReturnType<typeof createTransport>, 'get'>
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
      onAnswer?.(response)
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
  { budget, signal }: { budget: ReturnType<typeof createByteBudget>; signal: AbortSignal },
): FetchText {
  return async (url, maxBytes) => {
    const share = budget.open()
    const limits = { maxBytes, share, signal }
    try {
      const response = await follow(url, {
        ...limits,
        cut: true,
        accept: 'text/plain,*/*;q=0.5',
        onHeaders: ({ status }) => status < 300,
      })
      if (response.status >= 400 && response.status < 500) return null
      if (response.status !== 200) throw statusError({ ...response, url })
      return new TextDecoder().decode(await decodeBody(response, limits))
    } catch (error) {
      if (error instanceof SampleError && error.code === 'redirect_limit') return null
      throw error
    } finally {
      share.keep(0)
    }
  }
}

interface AttemptDeps
  extends Pick<FetchOptions, 'maxBytes' | 'optOut'>, Pick<FetcherDeps, 'checkUrl'> {
  readonly follow: Follow
  readonly checkSite: CheckSite
  readonly now: () => number
}

/** One attempt at an image, if its site and its headers allow it. */
function createAttempt({ maxBytes, optOut, follow, checkSite, checkUrl, now }: AttemptDeps) {
  return async (start: URL, ask: Pick<FollowOptions, 'share' | 'signal' | 'onHead'>) => {
    const limits = { maxBytes, ...ask }
    const response = await follow(start, {
      ...limits,
      accept: IMAGE_ACCEPT,
      before: async (url) => {
        checkUrl?.(url)
        await checkSite(url, ask.signal)
      },
      onHeaders: ({ status, headers, url }) => {
        const refusal = hasImage(status) ? headerRefusal(headers, optOut) : undefined
        if (refusal === undefined) return hasImage(status)
        throw new SampleError('optout_header', refusal, { host: url.hostname })
      },
    })
    const { status, headers, url } = response
    if (!hasImage(status)) throw new StatusFailure(response, now())
    const bytes = await decodeBody(response, limits)
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
