// No way leads to an address that is not global unicast: sockets are counted where Node makes them.

import diagnostics from 'node:diagnostics_channel'
import net from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { DnsQuery } from '../../../src/ingest/fetch/resolver.ts'
import { REFUSED_IPV4, REFUSED_IPV6 } from '../../helpers/address-probes.ts'
import { startDnsServer } from '../../helpers/dns-server.ts'
import { redirect, respond, startHostileServer, type Answer } from '../../helpers/hostile-server.ts'
import { makeLoader, outcomeOf } from '../../helpers/image-loader.ts'
import { makeJpeg } from '../../helpers/images.ts'

// Processes and threads take seconds to start on a machine that has too much to do.
vi.setConfig({ testTimeout: 120_000 })

let jpeg: Buffer
beforeAll(async () => {
  jpeg = await makeJpeg({ width: 64, height: 48 })
})

/** Every socket that this process opens from now on. */
function countSockets(): () => number {
  let count = 0
  const onSocket = () => count++
  diagnostics.subscribe('net.client.socket', onSocket)
  onTestFinished(() => void diagnostics.unsubscribe('net.client.socket', onSocket))
  return () => count
}

/** Something private that would notice a visit. */
async function startTrap(address: string) {
  const trap = await startHostileServer({ '/x.jpg': respond(200, {}, jpeg) }, address)
  onTestFinished(() => trap.close())
  return trap
}

async function serve(answers: Readonly<Record<string, Answer>>) {
  const server = await startHostileServer(answers)
  onTestFinished(() => server.close())
  return server
}

/** Answers by name and, for the n-th question about it, the n-th or last list of addresses. */
function namesOf(answers: Readonly<Record<string, readonly (readonly string[])[]>>, ttl = 60) {
  const asked: string[] = []
  const query: DnsQuery = async (host, family) => {
    const lists = answers[host] ?? []
    const turn = asked.filter((name) => name === `${host}/${family}`).length
    asked.push(`${host}/${family}`)
    const list = lists[Math.min(turn, lists.length - 1)] ?? []
    return list
      .filter((address) => net.isIP(address) === family)
      .map((address) => ({ address, ttl }))
  }
  return { query, asked }
}

const PROBES = [...REFUSED_IPV4, ...REFUSED_IPV6]
const literal = (address: string) => (net.isIP(address) === 6 ? `[${address}]` : address)

describe('with the guard as it comes', () => {
  const guarded = { allowAddresses: [], ipv6: true }

  it('no probe is connected to as a literal', async () => {
    const sockets = countSockets()
    const trap = await startTrap('127.0.0.1')
    const loader = makeLoader(guarded)

    expect(PROBES.length).toBeGreaterThanOrEqual(57)
    for (const address of PROBES) {
      const outcome = await outcomeOf(loader, `http://${literal(address)}:${trap.port}/x.jpg`)
      expect(outcome).toMatchObject({ code: 'addr_blocked' })
    }
    expect(trap.connections()).toBe(0)
    expect(sockets()).toBe(0)
  })
  it('no probe is connected to as the address of a name', async () => {
    const sockets = countSockets()
    const trap = await startTrap('127.0.0.1')
    const entries = PROBES.map((address, index) => [`n${index}.test`, [[address]]] as const)
    const names = namesOf(Object.fromEntries(entries))
    const loader = makeLoader(guarded, names)

    for (const [name] of entries) {
      const outcome = await outcomeOf(loader, `http://${name}:${trap.port}/x.jpg`)
      expect(outcome).toMatchObject({ code: 'addr_blocked', host: name })
    }
    expect(trap.connections()).toBe(0)
    expect(sockets()).toBe(0)
  })
  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '１２７.0.0.1',
    '127。0。0。1',
    '①②⑦.0.0.1',
    '0',
    '[::ffff:127.0.0.1]',
    '[0:0:0:0:0:ffff:7f00:1]',
  ])('%s is not connected to', async (host) => {
    const sockets = countSockets()
    const trap = await startTrap('127.0.0.1')
    const names = namesOf({})

    const outcome = await outcomeOf(makeLoader(guarded, names), `http://${host}:${trap.port}/x.jpg`)

    expect(outcome).toMatchObject({ code: 'addr_blocked' })
    expect(names.asked).toEqual([])
    expect(sockets()).toBe(0)
  })
})

// From here on 127.0.0.1 stands for the public network: it is allowed by the option that exists for
// that. 127.0.0.2 is private.
describe('with one address allowed', () => {
  it.each([
    ['a private literal', (port: number) => `http://127.0.0.2:${port}/x.jpg`],
    ['a private literal without scheme', (port: number) => `//127.0.0.2:${port}/x.jpg`],
    ['the decimal form', (port: number) => `http://2130706434:${port}/x.jpg`],
    ['a name that is private', (port: number) => `http://inside.test:${port}/x.jpg`],
    ['metadata', () => 'http://169.254.169.254/latest/meta-data/'],
    ['a file', () => 'file:///etc/hostname'],
    ['data', () => 'data:image/png;base64,AAAA'],
    ['credentials', (port: number) => `http://user:pw@127.0.0.1:${port}/x.jpg`],
    ['no URL', () => 'http://256.256.256.256/'],
  ])('a redirect to %s is blocked', async (_, target) => {
    const trap = await startTrap('127.0.0.2')
    const server = await serve({ '/x.jpg': redirect(target(trap.port)) })
    const loader = makeLoader({}, namesOf({ 'inside.test': [['127.0.0.2']] }))

    const outcome = await outcomeOf(loader, server.url('/x.jpg'))

    expect(outcome).toMatchObject({ code: 'redirect_blocked' })
    expect(trap.connections()).toBe(0)
  })
  it.each([
    ['is relative', () => 'x.jpg'],
    ['has a path alone', () => '/a/b/../x.jpg'],
    ['is upper case', (port: number) => `HTTP://OUTSIDE.TEST:${port}/a/x.jpg`],
    ['has no scheme', (port: number) => `//outside.test:${port}/a/x.jpg#part`],
  ])('a redirect is followed when it %s', async (_, target) => {
    const image = await serve({ '/a/x.jpg': respond(200, {}, jpeg) })
    const server = await serve({
      '/a/y.jpg': redirect(target(image.port), 307),
      '/a/x.jpg': respond(200, {}, jpeg),
    })
    const loader = makeLoader({}, namesOf({ 'outside.test': [['127.0.0.1']] }))

    expect(await outcomeOf(loader, server.url('/a/y.jpg'))).toMatchObject({ code: 'ok' })
    expect([...server.paths(), ...image.paths()]).toEqual(['/a/y.jpg', '/a/x.jpg'])
  })
  it('redirects end after the limit', async () => {
    const hops = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, hop) => [
          `/${hop}.jpg`,
          redirect(hop + 1 < count ? `/${hop + 1}.jpg` : '/x.jpg'),
        ]),
      )
    const image = { '/x.jpg': respond(200, {}, jpeg) }
    const [five, six] = [
      await serve({ ...hops(5), ...image }),
      await serve({ ...hops(6), ...image }),
    ]
    const loop = await serve({ '/0.jpg': redirect('/0.jpg', 301) })

    expect(await outcomeOf(makeLoader(), five.url('/0.jpg'))).toMatchObject({ code: 'ok' })
    expect(await outcomeOf(makeLoader(), six.url('/0.jpg'))).toMatchObject({
      code: 'redirect_limit',
    })
    expect(await outcomeOf(makeLoader(), loop.url('/0.jpg'))).toMatchObject({
      code: 'redirect_limit',
      attempts: 1,
    })
    expect(loop.paths()).toHaveLength(6)
  })

  it('a redirect to a port that may not be asked is blocked', async () => {
    const trap = await startTrap('127.0.0.1')
    const server = await serve({ '/x.jpg': redirect(trap.url('/x.jpg')) })

    const outcome = await outcomeOf(makeLoader({ ports: [server.port] }), server.url('/x.jpg'))

    expect(outcome).toMatchObject({ code: 'redirect_blocked' })
    expect(outcome.message).toMatch(/^url_port: /)
    expect(trap.connections()).toBe(0)
  })
  it('no cookie, credential or referrer is sent on', async () => {
    const image = await serve({ '/x.jpg': respond(200, {}, jpeg) })
    const server = await serve({
      '/x.jpg': respond(302, {
        location: image.url('/x.jpg'),
        'set-cookie': 'id=1; Path=/',
        'www-authenticate': 'Basic',
      }),
    })
    const loader = makeLoader()

    for (let row = 0; row < 2; row++) await outcomeOf(loader, server.url('/x.jpg'))

    const asked = [...server.asked, ...image.asked]
    expect(image.paths()).toHaveLength(2)
    const names = new Set(asked.flatMap(({ headers }) => Object.keys(headers)))
    expect([...names].sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ])
  })
  it('a proxy of the environment is not used', async () => {
    const proxy = await startTrap('127.0.0.1')
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']) {
      vi.stubEnv(name, proxy.url(''))
    }
    onTestFinished(() => {
      vi.unstubAllEnvs()
    })
    const server = await serve({ '/x.jpg': respond(200, {}, jpeg) })

    expect(await outcomeOf(makeLoader(), server.url('/x.jpg'))).toMatchObject({ code: 'ok' })
    expect(proxy.connections()).toBe(0)
  })

  it('a name that turns private is asked for once and stays where it was checked', async () => {
    const server = await serve({ '/x.jpg': respond(200, {}, jpeg) })
    const trap = await startTrap('127.0.0.2')
    const names = namesOf({ 'rebind.test': [['127.0.0.1'], ['127.0.0.2']] })
    const loader = makeLoader({}, names)

    for (let row = 0; row < 3; row++) {
      expect(await outcomeOf(loader, server.url('/x.jpg', 'rebind.test'))).toMatchObject({
        code: 'ok',
      })
    }
    expect(names.asked.filter((name) => name.endsWith('/4'))).toEqual(['rebind.test/4'])
    expect(trap.connections()).toBe(0)
  })
  it('a name that turns private within no time to live is refused then', async () => {
    const trap = await startTrap('127.0.0.2')
    const server = await serve({
      '/x.jpg': respond(200, { connection: 'close' }, jpeg),
    })
    const names = namesOf({ 'rebind.test': [['127.0.0.1'], ['127.0.0.2']] }, 0)
    let now = 1_000_000
    const loader = makeLoader({ robots: false, optOut: NO_OPT_OUT }, { ...names, now: () => now })

    const first = await outcomeOf(loader, server.url('/x.jpg', 'rebind.test'))
    now += 2_000
    const second = await outcomeOf(loader, server.url('/x.jpg', 'rebind.test'))

    expect(first).toMatchObject({ code: 'ok' })
    expect(second).toMatchObject({ code: 'addr_blocked' })
    expect(trap.connections()).toBe(0)
  })
  it('of several addresses only the allowed ones are used', async () => {
    const server = await serve({ '/x.jpg': respond(200, {}, jpeg) })
    const names = namesOf({
      'mixed.test': [['10.0.0.1', '127.0.0.1', '::1']],
      'inside.test': [['203.0.113.9', '10.0.0.1']],
    })
    const loader = makeLoader({ ipv6: true }, names)

    expect(await outcomeOf(loader, server.url('/x.jpg', 'mixed.test'))).toMatchObject({
      code: 'ok',
    })
    expect(await outcomeOf(loader, server.url('/x.jpg', 'inside.test'))).toMatchObject({
      code: 'addr_blocked',
    })
  })
})

const NO_OPT_OUT = { xRobotsTag: [], tdmReservation: false, contentUsage: [], contentSignal: [] }

describe('names', () => {
  it.each([
    ['ENOTFOUND', 'dns_nxdomain', 1],
    ['ENODATA', 'dns_nxdomain', 1],
    ['ESERVFAIL', 'dns_servfail', 3],
    ['EREFUSED', 'dns_servfail', 3],
    ['ETIMEOUT', 'dns_timeout', 3],
  ])('that end in %s: %s', async (code, expected, attempts) => {
    const query: DnsQuery = () => Promise.reject(Object.assign(new Error(code), { code }))

    const outcome = await outcomeOf(makeLoader({}, { query }), 'http://name.test/x.jpg')

    expect(outcome).toMatchObject({ code: expected, host: 'name.test', attempts })
  })
  it('that are other names in the end count by the address there', async () => {
    const trap = await startTrap('127.0.0.2')
    const server = await serve({ '/x.jpg': respond(200, {}, jpeg) })
    const chain = new Map([
      ['outside.test', 'cdn.test'],
      ['cdn.test', '127.0.0.1'],
      ['inside.test', 'a.internal'],
      ['a.internal', 'b.internal'],
      ['b.internal', '127.0.0.2'],
    ])
    const dns = await startDnsServer((name) => chain.get(name))
    const loader = makeLoader({ dnsServers: [dns.address], retries: 0 })
    const load = (host: string) => outcomeOf(loader, server.url('/x.jpg', host))

    expect(await load('outside.test')).toMatchObject({ code: 'ok' })
    expect(await load('inside.test')).toMatchObject({
      code: 'addr_blocked',
      message: expect.stringContaining('127.0.0.2'),
    })
    // Its answer is rubbish.
    expect((await load('other.test')).code).toMatch(/^dns_(servfail|timeout)$/)
    expect(trap.connections()).toBe(0)
  })
  it('that nobody answers for: dns_timeout', async () => {
    const query: DnsQuery = () => new Promise(() => undefined)
    const loader = makeLoader({ dnsTimeoutMs: 300, retries: 0 }, { query })

    expect(await outcomeOf(loader, 'http://name.test/x.jpg')).toMatchObject({
      code: 'dns_timeout',
    })
  })
})
