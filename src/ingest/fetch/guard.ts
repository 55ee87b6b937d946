// Which URLs and which addresses may be asked at all. Only global unicast addresses are: an image
// URL comes from a stranger and must not reach this machine, its network or a cloud's metadata.

import os from 'node:os'
import ipaddr from 'ipaddr.js'
import { SampleError } from '../../core/errors.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Cidr = [Address, number]

/** What a configuration says about addresses. */
export interface AddressPolicy {
  /** CIDR blocks allowed whatever they are. */
  readonly allowAddresses: readonly string[]
  /** Judge 64:ff9b::/96 by the IPv4 address inside. */
  readonly nat64: boolean
  /** Public addresses of this machine, refused as loopback is. */
  readonly ownAddresses: readonly string[]
}

/** Why the address must not be connected to, e.g. "private"; undefined if it may. */
export type AddressRule = (address: string) => string | undefined

// Public space with a private meaning: Azure's platform address, reachable from every guest.
const METADATA = '168.63.129.16'
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3')
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96')
// Inside 2000::/3 yet not global; ipaddr.js knows parts of them under several names.
const IPV6_SPECIAL = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']
const IPV4_SPECIAL = ['192.0.0.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24']
const SPECIAL = [...IPV6_SPECIAL, ...IPV4_SPECIAL, '192.175.48.0/24'].map((text) =>
  ipaddr.parseCIDR(text),
)

/**
 * Allows global unicast alone (IANA special-purpose registries), plus the policy's own blocks.
 * An IPv4-mapped IPv6 address is judged as the IPv4 address that the socket would use.
 */
export function createAddressRule(policy: AddressPolicy): AddressRule {
  const allowed = policy.allowAddresses.map((text) => ipaddr.parseCIDR(text))
  const own = new Set(
    [METADATA, ...policy.ownAddresses].map((text) => ipaddr.process(text).toNormalizedString()),
  )

  const judge = (address: Address): string | undefined => {
    if (allowed.some((block) => contains(block, address))) return undefined
    if (own.has(address.toNormalizedString())) return 'own or metadata address'
    if (address.kind() === 'ipv6') {
      if (policy.nat64 && contains(NAT64, address)) {
        return judge(ipaddr.fromByteArray(address.toByteArray().slice(12)))
      }
      if (!contains(GLOBAL_IPV6, address)) return named(address, 'not global unicast')
    }
    if (address.range() !== 'unicast') return named(address, 'not unicast')
    return SPECIAL.some((block) => contains(block, address)) ? 'special purpose' : undefined
  }
  return (text) => {
    const bare = stripBrackets(text)
    return ipaddr.isValid(bare) ? judge(ipaddr.process(bare)) : 'not an address'
  }
}

function contains([block, bits]: Cidr, address: Address): boolean {
  return block.kind() === address.kind() && address.match(block, bits)
}

function named(address: Address, fallback: string): string {
  const range = address.range()
  return range === 'unicast' ? fallback : range
}

/** The host of a URL without the brackets of an IPv6 literal. */
export function stripBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}

/** True for a literal IPv4 or IPv6 address, with or without brackets. */
export function isAddress(host: string): boolean {
  return ipaddr.isValid(stripBrackets(host))
}

/** Every address of this machine's interfaces, without zones. */
export function localAddresses(): string[] {
  const found = Object.values(os.networkInterfaces()).flatMap((list) => list ?? [])
  return found.map((entry) => entry.address.replace(/%.*$/, ''))
}

/** What a URL is held to. */
export interface TargetRules {
  readonly ports: readonly number[] | 'any'
  readonly rule: AddressRule
  /** Whose relative URL it may be. */
  readonly base?: URL | undefined
}

const MAX_URL = 8192

/**
 * Parses as browsers do (WHATWG) and applies every rule that needs no lookup. The fragment is
 * dropped; the result's `href` is what is asked and logged.
 *
 * @throws SampleError url_invalid, url_scheme, url_credentials, url_port or addr_blocked
 */
export function parseTarget(text: string, { ports, rule, base }: TargetRules): URL {
  if (text.length > MAX_URL) {
    const detail = `URL of ${text.length} characters; the limit is ${MAX_URL}`
    throw new SampleError('url_invalid', detail)
  }
  if (!URL.canParse(text, base?.href)) {
    throw new SampleError('url_invalid', `cannot parse ${JSON.stringify(text)}`)
  }
  const url = new URL(text, base?.href)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new SampleError('url_scheme', `scheme ${url.protocol} of ${JSON.stringify(text)}`)
  }
  const host = url.hostname
  if (url.username !== '' || url.password !== '') {
    throw new SampleError('url_credentials', `user name or password in a URL of ${host}`, { host })
  }
  const port = portOf(url)
  if (ports !== 'any' && !ports.includes(port)) {
    throw new SampleError('url_port', `port ${port}; allowed are ${ports.join(', ')}`, { host })
  }
  const reason = isAddress(host) ? rule(host) : undefined
  if (reason !== undefined) throw new SampleError('addr_blocked', `${host} is ${reason}`, { host })
  url.hash = ''
  return url
}

/** The port that a URL of http or https is asked at. */
export function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}
