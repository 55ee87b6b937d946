// Names to checked addresses, once per name and time to live: what was checked is what is connected
// to, so a second answer (DNS rebinding) is never asked for. Uses c-ares: no thread of libuv's pool.

import { promises as dns } from 'node:dns'
import { isIPv6 } from 'node:net'
import { SampleError, messageOf } from '../../core/errors.ts'
import { createCache } from '../../system/cache.ts'
import { DeadlineError, withDeadline } from '../../system/deadline.ts'
import type { FetchOptions } from './options.ts'
import { createAddressRule, localAddresses, type AddressRule } from './guard.ts'

/** One record of an answer. */
export interface DnsAnswer {
  readonly address: string
  /** Seconds. */
  readonly ttl: number
}

/** One question of one record type; rejects with an error whose `code` is one of node:dns. */
export type DnsQuery = (host: string, family: 4 | 6) => Promise<readonly DnsAnswer[]>

/** An address that the rule allows. */
export interface ResolvedAddress {
  readonly address: string
  readonly family: 4 | 6
}

function createDnsQuery({ dnsServers, dnsTimeoutMs }: ResolverOptions): DnsQuery {
  // Two tries inside the limit; the second one waits longer by c-ares' own rule.
  const resolver = new dns.Resolver({ timeout: Math.ceil(dnsTimeoutMs / 3), tries: 2 })
  if (dnsServers.length > 0) resolver.setServers(dnsServers)
  return (host, family) =>
    family === 4 ? resolver.resolve4(host, { ttl: true }) : resolver.resolve6(host, { ttl: true })
}

/** True if an interface of this machine has a global IPv6 address. */
function hasGlobalIpv6(): boolean {
  const rule = createAddressRule({ allowAddresses: [], nat64: false, ownAddresses: [] })
  return localAddresses().some((address) => isIPv6(address) && rule(address) === undefined)
}

/** Whether names are asked for IPv6 addresses. */
export function asksIpv6({ ipv6 }: Pick<FetchOptions, 'ipv6'>): boolean {
  return ipv6 === 'auto' ? hasGlobalIpv6() : ipv6
}

interface ResolverOptions extends Pick<FetchOptions, 'dnsServers' | 'dnsTimeoutMs' | 'ipv6'> {
  readonly rule: AddressRule
}

/** What tests replace. */
export interface ResolverDeps {
  readonly query?: DnsQuery | undefined
  readonly now?: (() => number) | undefined
}

/**
 * The addresses of a name that the rule allows; never empty. Answers are kept for their time to live.
 *
 * @throws SampleError dns_nxdomain, dns_timeout, dns_servfail or addr_blocked
 */
export type Resolver = (host: string) => Promise<readonly ResolvedAddress[]>

const MAX_ENTRIES = 20_000
const MAX_TTL_S = 3600
// The connector asks again a moment after the transport did, and must get the same answer.
const MIN_TTL_S = 1
// A name that does not exist, or whose servers are ill, is asked again after this long.
const MISSING_MS = 300_000
const FAILED_MS = 5_000

/** Asks nothing yet. */
export function createResolver(
  options: ResolverOptions,
  { query, now }: ResolverDeps = {},
): Resolver {
  const questions: Questions = {
    ...options,
    query: query ?? createDnsQuery(options),
    ipv6: asksIpv6(options),
  }
  const cache = createCache<Found>(MAX_ENTRIES, {
    keepMs: ({ ttl }) => Math.max(MIN_TTL_S, Math.min(ttl, MAX_TTL_S)) * 1000,
    keepErrorMs: (error) =>
      error instanceof SampleError && error.code === 'dns_nxdomain' ? MISSING_MS : FAILED_MS,
    now,
  })
  return async (text) => {
    const host = text.toLowerCase().replace(/\.$/, '')
    return (await cache.get(host, () => ask(host, questions))).addresses
  }
}

interface Found {
  readonly addresses: readonly ResolvedAddress[]
  /** Seconds, the smallest of the answers. */
  readonly ttl: number
}

interface Questions extends ResolverOptions {
  readonly query: DnsQuery
  readonly ipv6: boolean
}

async function ask(host: string, options: Questions): Promise<Found> {
  const answers = await allAnswers(host, options)
  const addresses: ResolvedAddress[] = []
  let reason: string | undefined
  for (const { address, family } of answers) {
    const refusal = options.rule(address)
    if (refusal === undefined) addresses.push({ address, family })
    else reason ??= `${address}, which is ${refusal}`
  }
  if (addresses.length === 0) {
    throw new SampleError('addr_blocked', `${host} is ${reason ?? 'without address'}`, { host })
  }
  return { addresses, ttl: Math.min(...answers.map((answer) => answer.ttl)) }
}

type FamilyAnswer = DnsAnswer & { readonly family: 4 | 6 }

async function allAnswers(host: string, options: Questions): Promise<FamilyAnswer[]> {
  // RFC 6761: these names never leave the machine, whatever a server says.
  if (host === 'localhost' || host.endsWith('.localhost')) {
    return [
      { address: '127.0.0.1', family: 4, ttl: MAX_TTL_S },
      { address: '::1', family: 6, ttl: MAX_TTL_S },
    ]
  }
  const families: readonly (4 | 6)[] = options.ipv6 ? [4, 6] : [4]
  const asked = families.map((family) =>
    withDeadline(options.dnsTimeoutMs, undefined, () => options.query(host, family)).then((list) =>
      list.map((answer) => ({ ...answer, family })),
    ),
  )
  const results = await Promise.allSettled(asked)
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  if (found.length > 0) return found

  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [dnsError(host, result.reason)] : [],
  )
  const missing = new SampleError('dns_nxdomain', `${host} has no address`, { host })
  // With no address at all, a transient failure of either question decides: it may be cured.
  throw errors.find(({ code }) => code !== 'dns_nxdomain') ?? errors[0] ?? missing
}

function dnsError(host: string, cause: unknown): SampleError {
  if (cause instanceof DeadlineError) {
    return new SampleError('dns_timeout', `${host}: no answer in ${cause.ms} ms`, { host })
  }
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const context = { host, cause }
  const detail = `${host}: ${code === '' ? messageOf(cause) : code}`
  // ENODATA: the name exists without an address of this kind. EBADNAME: no name at all.
  if (code === 'ENOTFOUND' || code === 'ENODATA' || code === 'EBADNAME') {
    return new SampleError('dns_nxdomain', detail, context)
  }
  if (code === 'ETIMEOUT') return new SampleError('dns_timeout', detail, context)
  return new SampleError('dns_servfail', detail, context)
}
