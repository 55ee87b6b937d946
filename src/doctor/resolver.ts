// How names are resolved here: with the resolver of a run, on the hosts of the rows that are tried.

import net from 'node:net'
import pLimit from 'p-limit'
import { SampleError } from '../core/errors.ts'
import {
  createAddressRule,
  isAddress,
  localAddresses,
  parseTarget,
  portOf,
  stripBrackets,
} from '../ingest/fetch/guard.ts'
import type { FetchOptions } from '../ingest/fetch/options.ts'
import { createResolver, type ResolvedAddress } from '../ingest/fetch/resolver.ts'
import type { Check } from './check.ts'
import type { Tried } from './rows.ts'

/** Names that the resolver is asked for. */
const MAX_NAMES = 200
/** Milliseconds for one name, beyond which the resolver holds up a run. */
const SLOW_LOOKUP_MS = 200
/** A rate of fewer names says nothing. */
const MIN_NAMES_FOR_RATE = 10

/** A host and port that rows name, with the addresses that may be connected to. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly addresses: readonly ResolvedAddress[]
}

/** What became of the names. */
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
  const resolve = createResolver({ ...options, rule })
  const urls = texts.flatMap((text) => {
    try {
      return parseTarget(text, { ...options, rule })
    } catch {
      return [] // the row itself is tried, and says why
    }
  })
  const byHost = new Map(urls.map((url) => [url.hostname, portOf(url)]))
  const hosts = [...byHost.keys()]
  const names = hosts.filter((host) => !isAddress(host)).slice(0, MAX_NAMES)
  const lookUp = async (host: string) => {
    const begun = performance.now()
    try {
      const addresses = await resolve(host)
      return { host, addresses, answered: true, ms: performance.now() - begun }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      const answered = error.code === 'dns_nxdomain' || error.code === 'addr_blocked'
      return { host, addresses: [], answered, ms: performance.now() - begun }
    }
  }
  const begun = performance.now()
  const inTurn = pLimit(options.concurrency)
  const results = await Promise.all(names.map((name) => inTurn(lookUp, name)))
  const seconds = (performance.now() - begun) / 1000

  const answered = results.filter((result) => result.answered)
  const times = answered.map(({ ms }) => ms).sort((a, b) => a - b)
  const literals = hosts.filter(isAddress).map((host) => {
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
    targets: [...results, ...literals]
      .filter(({ addresses }) => addresses.length > 0)
      .map(({ host, addresses }) => ({ host, addresses, port: byHost.get(host)! })),
    urls: urls.length,
  }
}

/** Whether names are answered, and fast enough for the images that were tried. */
export function judgeResolver(
  lookups: Lookups & Partial<Pick<Tried, 'secondsPerImage'>>,
  { concurrency }: FetchOptions,
): Check {
  const { names, answered, medianMs, slowestMs, perSecond, urls, secondsPerImage } = lookups
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
  const isShort = needed !== undefined && names >= MIN_NAMES_FOR_RATE && perSecond < needed
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
