// What the network of this machine gives a run: names, connections, what sites say about robots, and
// the time. Measured with what the run itself uses, on the hosts of the rows that are tried.

import net from 'node:net'
import { SampleError } from '../core/errors.ts'
import type { FetchOptions } from '../ingest/fetch/options.ts'
import type { HopAnswer } from '../ingest/fetch/fetcher.ts'
import {
  createAddressRule,
  isAddress,
  localAddresses,
  parseTarget,
  stripBrackets,
} from '../ingest/fetch/guard.ts'
import { asksIpv6, createResolver, type ResolvedAddress } from '../ingest/fetch/resolver.ts'
import type { Finding } from './doctor.ts'
import { mapOrdered } from '../system/map-ordered.ts'

/** Names that the resolver is asked for. */
const MAX_NAMES = 200
/** Hosts that are connected to. */
const MAX_HOSTS = 50
/** Milliseconds for one name, beyond which the resolver holds up a run. */
const SLOW_LOOKUP_MS = 200
/** A rate of fewer names says nothing. */
const MIN_NAMES_FOR_RATE = 10

/** A host and port that rows name, with the addresses that may be connected to. */
interface Target {
  readonly host: string
  readonly port: number
  readonly addresses: readonly ResolvedAddress[]
}

export interface Lookups {
  readonly names: number
  /** That there is no such name is an answer, too. */
  readonly answered: number
  /** Milliseconds of those that were answered. */
  readonly medianMs: number
  readonly slowestMs: number
  readonly perSecond: number
  /** Hosts with an allowed address, literal addresses included. */
  readonly targets: readonly Target[]
  /** URLs that the guard lets through. */
  readonly urls: number
}

/** Asks for each name of the URLs once, as many at a time as the run would. */
export async function lookUpHosts(
  options: FetchOptions,
  texts: readonly string[],
): Promise<Lookups> {
  const rule = createAddressRule({ ...options, ownAddresses: localAddresses() })
  const resolver = createResolver(options, rule)
  const urls = texts.flatMap((text) => {
    try {
      return parseTarget(text, options.ports, rule)
    } catch {
      return [] // the row itself is tried, and says why
    }
  })
  const byHost = new Map(urls.map((url) => [url.hostname, portOf(url)]))
  const names = [...byHost.keys()].filter((host) => !isAddress(host)).slice(0, MAX_NAMES)
  const literals = [...byHost.keys()].filter((host) => isAddress(host))
  const lookUp = async (host: string) => {
    const begun = performance.now()
    try {
      const addresses = await resolver.resolve(host)
      return { host, addresses, answered: true, ms: performance.now() - begun }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      const answered = error.code === 'dns_nxdomain' || error.code === 'addr_blocked'
      return { host, addresses: [], answered, ms: performance.now() - begun }
    }
  }
  const begun = performance.now()
  const results = []
  const hasRoom = (inFlight: readonly { readonly result?: unknown }[]) =>
    inFlight.filter(({ result }) => result === undefined).length < options.concurrency
  for await (const result of mapOrdered(names, hasRoom, lookUp)) results.push(result)
  const seconds = (performance.now() - begun) / 1000

  const answered = results.filter((result) => result.answered)
  const times = answered.map(({ ms }) => ms).sort((a, b) => a - b)
  const literalTargets = literals.map((host) => {
    const address = stripBrackets(host)
    const family = net.isIPv6(address) ? (6 as const) : (4 as const)
    return { host, addresses: [{ address, family }] }
  })
  return {
    names: names.length,
    answered: answered.length,
    medianMs: times[times.length >> 1] ?? Infinity,
    slowestMs: times.at(-1) ?? Infinity,
    perSecond: names.length / seconds,
    targets: [...results, ...literalTargets]
      .filter(({ addresses }) => addresses.length > 0)
      .map(({ host, addresses }) => ({ host, addresses, port: byHost.get(host)! })),
    urls: urls.length,
  }
}

/**
 * @param secondsPerImage measured for one row with its fetch; undefined: no image was had
 */
export function judgeResolver(
  { names, answered, medianMs, slowestMs, perSecond, urls }: Lookups,
  { concurrency }: FetchOptions,
  secondsPerImage: number | undefined,
): Finding {
  const check = 'resolver'
  if (names === 0) return { check, status: 'ok', detail: 'no host names in these rows' }
  const seen = `${answered} of ${names} names answered`
  if (answered === 0) {
    const advice =
      'no DNS server answers: check the network, or name servers that do with fetch.dnsServers'
    return { check, status: 'fail', detail: seen, advice }
  }
  // As many images at once as the run may have, each as fast as those that were tried.
  const needed =
    secondsPerImage === undefined ? undefined : (concurrency / secondsPerImage) * (names / urls)
  const detail =
    `${seen}, median ${medianMs.toFixed(0)} ms, slowest ${slowestMs.toFixed(0)} ms, ` +
    `${perSecond.toFixed(0)} names/s` +
    (needed === undefined ? '' : `; a run here asks for up to ${needed.toFixed(0)}/s`)
  const isShort =
    needed !== undefined && names >= MIN_NAMES_FOR_RATE && answered > 0 && perSecond < needed
  if (answered === names && medianMs <= SLOW_LOOKUP_MS && !isShort) {
    return { check, status: 'ok', detail }
  }
  const why =
    answered < names || medianMs > SLOW_LOOKUP_MS
      ? 'the resolver will lose rows as dns_timeout'
      : 'the resolver is slower than the run, which will wait for it'
  const advice = `${why}: run a caching one on this machine and set fetch.dnsServers: ["127.0.0.1"]`
  return { check, status: 'warn', detail, advice }
}

const PROXIES = ['http_proxy', 'https_proxy', 'all_proxy']

/** Opens a connection to each host over each family, and says nothing on it. */
export async function checkEgress(
  { targets, urls, names, answered }: Lookups,
  options: FetchOptions,
  env: NodeJS.ProcessEnv,
): Promise<Finding> {
  const check = 'egress'
  const proxies = Object.keys(env).filter(
    (name) => PROXIES.includes(name.toLowerCase()) && env[name] !== '',
  )
  const proxyNote =
    proxies.length === 0 ? [] : [`${proxies.sort().join(' and ')} set, which is not used`]
  if (urls === 0) {
    const detail = ['these rows need no network', ...proxyNote].join('; ')
    return { check, status: 'ok', detail }
  }
  const hosts = targets.slice(0, MAX_HOSTS)
  const tried = await Promise.all(
    hosts.flatMap(({ addresses, port }) =>
      ([4, 6] as const).flatMap((family) => {
        const first = addresses.find((address) => address.family === family)
        if (first === undefined) return []
        return connects(first.address, port, options.connectTimeoutMs).then((ok) => {
          return { family, ok }
        })
      }),
    ),
  )
  const of = (family: 4 | 6) => {
    const all = tried.filter((one) => one.family === family)
    return { tried: all.length, ok: all.filter(({ ok }) => ok).length }
  }
  const [v4, v6] = [of(4), of(6)]
  const unresolved = names - (targets.length - targets.filter(({ host }) => isAddress(host)).length)
  const detail = [
    v4.tried === 0 ? 'IPv4: no host has an address' : `IPv4: ${v4.ok} of ${v4.tried} hosts connect`,
    v6.tried > 0
      ? `IPv6: ${v6.ok} of ${v6.tried}`
      : asksIpv6(options)
        ? 'IPv6: no host has an address'
        : options.ipv6 === 'auto'
          ? 'IPv6: not asked for, this machine has no global address'
          : 'IPv6: not asked for (fetch.ipv6)',
    ...(unresolved > 0 ? [`${unresolved} names without an allowed address`] : []),
    ...proxyNote,
  ].join('; ')

  const connected = v4.ok + v6.ok
  if (connected === 0) {
    const advice =
      proxies.length > 0
        ? 'nothing can be reached without the proxy. It is not used because it would look names up ' +
          'behind the guard: run where hosts can be reached directly'
        : tried.length === 0
          ? answered === 0
            ? 'nothing to connect to without a resolver: is this machine online?'
            : 'the resolver knows none of these names: it is one without the internet, or the hosts are gone'
          : 'no way out: check the network and that the firewall lets ports 80 and 443 out'
    return { check, status: 'fail', detail, advice }
  }
  if (v6.tried > 0 && v6.ok === 0) {
    const advice = 'IPv6 leads nowhere and costs every connection time: set fetch.ipv6: false'
    return { check, status: 'warn', detail, advice }
  }
  if (connected < tried.length / 2) {
    const advice = 'many hosts do not connect: check the firewall, or the dataset is old'
    return { check, status: 'warn', detail, advice }
  }
  return { check, status: 'ok', detail }
}

function connects(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    const end = (ok: boolean) => {
      socket.destroy()
      resolve(ok)
    }
    socket.setTimeout(timeoutMs, () => {
      end(false)
    })
    socket.once('connect', () => {
      end(true)
    })
    socket.once('error', () => {
      end(false)
    })
  })
}

/** What the answers to the run's own requests say beside their bodies. */
export interface AnswerLog {
  readonly onAnswer: (answer: HopAnswer) => void
  /** By host: what became of robots.txt, and milliseconds for it. */
  readonly robots: ReadonlyMap<string, { readonly status: number; readonly ms: number }>
  /** By host: milliseconds that its clock is ahead of ours. */
  readonly ahead: ReadonlyMap<string, number>
}

export function createAnswerLog(now: () => number = Date.now): AnswerLog {
  const robots = new Map<string, { status: number; ms: number }>()
  const ahead = new Map<string, number>()
  return {
    robots,
    ahead,
    onAnswer: ({ url, status, headers, tookMs }) => {
      if (url.pathname === '/robots.txt') {
        const before = robots.get(url.hostname)
        robots.set(url.hostname, { status, ms: tookMs + (before?.ms ?? 0) })
      }
      const date = Date.parse(String(headers['date']))
      if (Number.isNaN(date)) return
      // A cache tells how long ago its answer was made. The date has whole seconds, rounded down.
      const age = Number(headers['age'] ?? 0)
      const there = date + (Number.isFinite(age) ? age * 1000 : 0) + 500
      if (!ahead.has(url.hostname)) ahead.set(url.hostname, there - now())
    },
  }
}

export interface RobotsLosses {
  /** Hosts whose robots.txt could not be had. */
  readonly unreachable: ReadonlySet<string>
  readonly refusedRows: number
  readonly refusingHosts: ReadonlySet<string>
}

/** @param rows with a URL */
export function judgeRobots(
  { robots }: AnswerLog,
  { unreachable, refusedRows, refusingHosts }: RobotsLosses,
  rows: number,
  options: FetchOptions,
): Finding {
  const check = 'robots'
  const hosts = new Set([...robots.keys(), ...unreachable])
  if (hosts.size === 0) {
    const { contentUsage, contentSignal } = options.optOut
    const isAsked = options.robots || contentUsage.length + contentSignal.length > 0
    const detail = isAsked ? 'no site was asked for it' : 'not asked for (fetch.robots: false)'
    return { check, status: 'ok', detail }
  }
  const given = [...robots].filter(([host, { status }]) => status < 300 && !unreachable.has(host))
  const times = [...robots.values()].map(({ ms }) => ms).sort((a, b) => a - b)
  const detail = [
    `${hosts.size} hosts for ${rows} rows: ${given.length} have a robots.txt, ` +
      `${hosts.size - given.length - unreachable.size} have none, ` +
      `${unreachable.size} could not give it`,
    ...(times.length === 0
      ? []
      : [
          `median ${times[times.length >> 1]!.toFixed(0)} ms, slowest ${times.at(-1)!.toFixed(0)} ms`,
        ]),
    `${refusingHosts.size} hosts refuse ${refusedRows} rows`,
  ].join('; ')
  const advice = [
    ...(unreachable.size > hosts.size / 10
      ? [
          'silence means no (RFC 9309), so rows of such hosts are lost as robots_unreachable: try ' +
            'retry-failed later',
        ]
      : []),
    ...(refusedRows > rows / 10
      ? [
          'that is to be respected; a dataset without these hosts (fetch.blockUrls) saves their requests',
        ]
      : []),
  ]
  if (advice.length === 0) return { check, status: 'ok', detail }
  return { check, status: 'warn', detail, advice: advice.join('; ') }
}

/** Released in 2026: a clock before that is wrong. */
const OLDEST_NOW = Date.UTC(2026, 0, 1)
/** Retry-After and Age are told in seconds. */
const SKEW_MS = 10_000
/** Young certificates, and those that end soon, are refused then. */
const WRONG_MS = 3_600_000
/** Fewer servers may be wrong themselves. */
const MIN_SERVERS = 3

/** Compares the clock with those of the servers that answered. */
export function judgeClock({ ahead }: Pick<AnswerLog, 'ahead'>, now = Date.now()): Finding {
  const check = 'clock'
  const time = new Date(now).toISOString()
  const advice =
    'set the clock (NTP): certificates are judged by it, and so are dates in Retry-After'
  const skews = [...ahead.values()].sort((a, b) => a - b)
  if (skews.length === 0) {
    const detail = `${time}; no server told its time`
    if (now >= OLDEST_NOW) return { check, status: 'ok', detail }
    return { check, status: 'fail', detail, advice }
  }
  const median = skews[skews.length >> 1]!
  const detail =
    `${time}; ${(Math.abs(median) / 1000).toFixed(1)} s ${median > 0 ? 'behind' : 'ahead of'} ` +
    (skews.length === 1 ? 'the one server that told its time' : `${skews.length} servers (median)`)
  if (Math.abs(median) < SKEW_MS) return { check, status: 'ok', detail }
  const isSure = skews.length >= MIN_SERVERS && Math.abs(median) >= WRONG_MS
  return { check, status: isSure ? 'fail' : 'warn', detail, advice }
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}
