// What a site says about itself, once per origin: robots.txt and /.well-known/tdmrep.json, fetched
// through the same guarded path as images and kept for at most 24 hours.

import { z } from 'zod'
import { SampleError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import { createCache } from '../../system/cache.ts'
import type { FetchOptions } from './options.ts'
import { matchesPath, normalisePath } from './path-pattern.ts'
import { parseRobots, type Robots } from './robots.ts'

/**
 * A small text file of the site: its text, or null when the site has none (4xx, too many redirects).
 * Shared by every row of the site, so no single row can abort it; its deadline ends it.
 */
export type FetchText = (url: URL, maxBytes: number) => Promise<string | null>

/**
 * Returns if the site lets the URL be fetched and used.
 *
 * @throws SampleError robots_disallowed, optout_header, robots_unreachable, or why the site
 *   cannot be reached at all
 */
export type CheckSite = (url: URL, signal: AbortSignal) => Promise<void>

interface SitePolicy {
  readonly robots: Robots | undefined
  /** Normalised path patterns with a reservation. */
  readonly reserved: readonly string[]
}

const DAY_MS = 86_400_000
// A site whose robots.txt cannot be had is asked again after this long; all its rows fail until then.
const UNREACHABLE_MS = 60_000
const MAX_SITES = 20_000
// RFC 9309 asks for at least 500 KiB; rules behind that are not read.
const MAX_ROBOTS_BYTES = 512 * 1024
const MAX_TDM_BYTES = 256 * 1024

// Failures on the way to the site that every row of it would meet as well: they keep their code.
const UNREACHED = /^(dns_|connect_|tls_|addr_|url_|redirect_blocked|host_)/

interface PolicyOptions extends Pick<FetchOptions, 'robots' | 'optOut'> {
  readonly fetchText: FetchText
}

/** Asks nothing yet. */
export function createSitePolicies(options: PolicyOptions, now?: () => number): CheckSite {
  const { optOut, fetchText } = options
  const wantsRobots =
    options.robots || optOut.contentUsage.length > 0 || optOut.contentSignal.length > 0
  const policies = createCache<SitePolicy>(MAX_SITES, {
    keepMs: () => DAY_MS,
    // A failure to connect is asked again at once: the circuit breaker keeps it from storming.
    keepErrorMs: (error) =>
      error instanceof SampleError && error.code === 'robots_unreachable' ? UNREACHABLE_MS : 0,
    now,
  })
  const load = async (origin: string): Promise<SitePolicy> => {
    const [robots, reserved] = await Promise.all([
      wantsRobots ? loadRobots(new URL('/robots.txt', origin), fetchText) : undefined,
      optOut.tdmReservation ? loadReserved(origin, fetchText) : [],
    ])
    return { robots, reserved }
  }
  return async (url, signal) => {
    if (!wantsRobots && !optOut.tdmReservation) return
    const { robots, reserved } = await policies.get(url.origin, () => load(url.origin))
    signal.throwIfAborted()
    const path = url.pathname + url.search
    const refused = (code: ReasonCode, detail: string) =>
      new SampleError(code, detail, { host: url.hostname })
    if (options.robots && robots?.isAllowed(path) === false) {
      throw refused('robots_disallowed', `robots.txt of ${url.host}`)
    }
    const line = robots?.refusal(path, optOut)
    if (line !== undefined) throw refused('optout_header', `robots.txt of ${url.host}: ${line}`)
    const normal = normalisePath(path)
    if (reserved.some((pattern) => matchesPath(pattern, normal))) {
      throw refused('optout_header', `tdmrep.json of ${url.host}: tdm-reservation 1`)
    }
  }
}

async function loadRobots(url: URL, fetchText: FetchText): Promise<Robots | undefined> {
  try {
    const text = await fetchText(url, MAX_ROBOTS_BYTES)
    return text === null ? undefined : parseRobots(text)
  } catch (error) {
    if (!(error instanceof SampleError) || UNREACHED.test(error.code)) throw error
    throw new SampleError('robots_unreachable', `${url.href}: ${error.code} ${error.message}`, {
      ...error.context,
      cause: error,
    })
  }
}

async function loadReserved(origin: string, fetchText: FetchText): Promise<readonly string[]> {
  try {
    const text = await fetchText(new URL('/.well-known/tdmrep.json', origin), MAX_TDM_BYTES)
    return text === null ? [] : parseTdmRep(text)
  } catch (error) {
    // Only robots.txt has the rule that silence means no.
    if (error instanceof SampleError) return []
    throw error
  }
}

const reservationSchema = z.object({
  location: z.string(),
  'tdm-reservation': z.unknown().refine((value) => Number(value) === 1),
})

/** The path patterns that a tdmrep.json reserves; [] if it is not one. */
export function parseTdmRep(text: string): string[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return []
  }
  if (!Array.isArray(list)) return []
  return list.flatMap((item: unknown) => {
    const { data } = reservationSchema.safeParse(item)
    return data === undefined ? [] : [normalisePath(data.location)]
  })
}
