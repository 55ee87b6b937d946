import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAddressRule } from '../../../src/ingest/fetch/guard.ts'
import { asksIpv6, createResolver, type DnsQuery } from '../../../src/ingest/fetch/resolver.ts'

const rule = createAddressRule({ allowAddresses: [], nat64: false, ownAddresses: [] })
const options = { dnsServers: [], dnsTimeoutMs: 1000, ipv6: true }
const PUBLIC = { address: '93.184.215.14', ttl: 60 }

const failing = (code: string) => Object.assign(new Error(code), { code })

function resolverOf(query: DnsQuery) {
  const asked = vi.fn(query)
  const clock = { now: 0 }
  const resolver = createResolver({ ...options, rule }, { query: asked, now: () => clock.now })
  const resolve = (host: string) =>
    resolver(host).then(
      (addresses) => addresses.map(({ address }) => address).join(),
      (error: { code: string }) => error.code,
    )
  return { resolve, asked, clock }
}

describe('createResolver', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('asks once per name and time to live, whatever its spelling', async () => {
    const { resolve, asked, clock } = resolverOf(async (_, family) =>
      family === 4 ? [PUBLIC] : [],
    )

    await Promise.all([resolve('A.test'), resolve('a.test.'), resolve('a.test')])
    clock.now = 59_999
    expect(await resolve('a.test')).toBe('93.184.215.14')
    expect(asked).toHaveBeenCalledTimes(2)
    clock.now = 60_000
    await resolve('a.test')

    expect(asked).toHaveBeenCalledTimes(4)
    expect(vi.getTimerCount()).toBe(0)
  })
  it('keeps the addresses that the rule allows, and refuses a name without one', async () => {
    const lists: Record<string, string[]> = {
      'mixed.test': ['10.0.0.1', '93.184.215.14'],
      'private.test': ['10.0.0.1'],
    }
    const { resolve } = resolverOf(async (host, family) =>
      family === 4 ? lists[host]!.map((address) => ({ address, ttl: 60 })) : [],
    )

    expect(await resolve('mixed.test')).toBe('93.184.215.14')
    expect(await resolve('private.test')).toBe('addr_blocked')
    expect(await resolve('x.localhost')).toBe('addr_blocked')
  })
  it.each([
    ['ENOTFOUND', 'dns_nxdomain'],
    ['ENODATA', 'dns_nxdomain'],
    ['ETIMEOUT', 'dns_timeout'],
    ['ESERVFAIL', 'dns_servfail'],
  ])('%s of both families is %s', async (code, expected) => {
    expect(await resolverOf(() => Promise.reject(failing(code))).resolve('a.test')).toBe(expected)
  })
  it('tells what may pass when one family has no name and the other is silent', async () => {
    const { resolve } = resolverOf((_, family) =>
      Promise.reject(failing(family === 4 ? 'ENOTFOUND' : 'ETIMEOUT')),
    )

    expect(await resolve('a.test')).toBe('dns_timeout')
  })
  it('does not wait for a server that is silent', async () => {
    const { resolve } = resolverOf(() => new Promise(() => undefined))
    const answer = resolve('a.test')

    await vi.advanceTimersByTimeAsync(1000)

    expect(await answer).toBe('dns_timeout')
    expect(vi.getTimerCount()).toBe(0)
  })
  it('asks again for a name that is gone after minutes, for one in trouble after seconds', async () => {
    const { resolve, asked, clock } = resolverOf((host) =>
      Promise.reject(failing(host === 'gone.test' ? 'ENOTFOUND' : 'ESERVFAIL')),
    )
    const both = () => Promise.all([resolve('gone.test'), resolve('ill.test')])

    await both()
    clock.now = 5_000
    await both()
    expect(asked.mock.calls.filter(([host]) => host === 'gone.test')).toHaveLength(2)
    expect(asked.mock.calls.filter(([host]) => host === 'ill.test')).toHaveLength(4)
    clock.now = 300_000
    await both()

    expect(asked.mock.calls.filter(([host]) => host === 'gone.test')).toHaveLength(4)
  })
})

describe('asksIpv6', () => {
  it('does as it is told', () => {
    expect([asksIpv6({ ipv6: true }), asksIpv6({ ipv6: false })]).toEqual([true, false])
  })
})
