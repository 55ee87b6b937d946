import { describe, expect, it } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import { createAddressRule, parseTarget } from '../../../src/ingest/fetch/guard.ts'
import { REFUSED_IPV4, REFUSED_IPV6 } from '../../helpers/address-probes.ts'

const none = { allowAddresses: [], nat64: false, ownAddresses: [] }
const rule = createAddressRule(none)

const ALLOWED = `
  1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1
  192.0.1.1 198.17.255.255 198.20.0.1 223.255.255.255 168.63.129.17 2606:4700::1 2001:4860::8888
  2a00::1 2000::1 3ffe::1 2001:200::1 2003::1 ::ffff:8.8.8.8`

const words = (text: string) => text.trim().split(/\s+/)

describe('createAddressRule', () => {
  const refused = [...REFUSED_IPV4, ...REFUSED_IPV6]
  it('is probed in every block', () => {
    expect(refused.length).toBeGreaterThanOrEqual(57)
    expect(new Set(refused).size).toBe(refused.length)
  })
  it.each(refused)('refuses %s', (address) => {
    expect(rule(address)).toBeTypeOf('string')
  })
  it.each(words(ALLOWED))('allows %s', (address) => {
    expect(rule(address)).toBeUndefined()
  })
  it('refuses the addresses of this machine, however they are written', () => {
    const own = createAddressRule({ ...none, ownAddresses: ['8.8.4.4', '2606:4700:0::1'] })

    expect(own('8.8.4.4')).toBeDefined()
    expect(own('::ffff:8.8.4.4')).toBeDefined()
    expect(own('2606:4700::1')).toBeDefined()
    expect(own('8.8.8.8')).toBeUndefined()
  })
  it('allows what the options name, and nothing beside it', () => {
    const loopback = createAddressRule({ ...none, allowAddresses: ['127.0.0.0/8', 'fd00::/8'] })

    expect(loopback('127.0.0.1')).toBeUndefined()
    expect(loopback('::ffff:127.0.0.1')).toBeUndefined()
    expect(loopback('fd00:ec2::254')).toBeUndefined()
    expect(loopback('10.0.0.1')).toBeDefined()
    expect(loopback('::1')).toBeDefined()
  })
  it('judges NAT64 by the address inside when asked to', () => {
    const nat64 = createAddressRule({ ...none, nat64: true })

    expect(nat64('64:ff9b::808:808')).toBeUndefined()
    expect(nat64('64:ff9b::a00:1')).toBeDefined()
    expect(nat64('64:ff9b:1::808:808')).toBeDefined()
  })
  it('refuses what is no address', () => {
    expect(rule('example.com')).toBe('not an address')
    expect(rule('')).toBe('not an address')
  })
})

const PORTS = [80, 443, 8080, 8443]

function codeOf(text: string, base?: URL): string {
  try {
    return parseTarget(text, { ports: PORTS, rule, base }).href
  } catch (error) {
    if (error instanceof SampleError) return error.code
    throw error
  }
}

describe('parseTarget', () => {
  it.each([
    // every spelling of a loopback or private literal
    ['http://2130706433/', 'addr_blocked'],
    ['http://0x7f.1/', 'addr_blocked'],
    ['http://0177.0.0.1/', 'addr_blocked'],
    ['http://127.1/', 'addr_blocked'],
    ['http://１２７.0.0.1/', 'addr_blocked'],
    ['http://127。0。0。1/', 'addr_blocked'],
    ['http://①②⑦.0.0.1/', 'addr_blocked'],
    ['http://[::ffff:127.0.0.1]/', 'addr_blocked'],
    ['http://[0:0:0:0:0:ffff:7f00:1]/', 'addr_blocked'],
    ['http://[::]/', 'addr_blocked'],
    ['http://0/', 'addr_blocked'],
    ['http:127.0.0.1', 'addr_blocked'],
    ['http://127.0.0.1\\@example.com/', 'addr_blocked'],
    ['http://127.0.0.1./', 'addr_blocked'],
    ['http://169.254.169.254/latest/meta-data/', 'addr_blocked'],
    // what only looks like one
    ['http://example.com#@127.0.0.1/', 'http://example.com/'],
    ['http://1.2.3/', 'http://1.2.0.3/'],
    ['http://a\tb.com/', 'http://ab.com/'],
    ['  HTTPS://EXAMPLE.com:443/A%20b?c=d#e ', 'https://example.com/A%20b?c=d'],
    ['http://example.com:8080/x', 'http://example.com:8080/x'],
    ['https://[2606:4700::1]/', 'https://[2606:4700::1]/'],
    // credentials, ports
    ['http://user:pw@example.com/', 'url_credentials'],
    ['http://user@example.com/', 'url_credentials'],
    ['http://:pw@example.com/', 'url_credentials'],
    ['http://example.com:22/', 'url_port'],
    ['http://example.com:0/', 'url_port'],
    ['https://example.com:25/', 'url_port'],
    // no URL at all
    ['http://256.256.256.256/', 'url_invalid'],
    ['http://[fe80::1%25eth0]/', 'url_invalid'],
    ['http://127.0.0.1:65536/', 'url_invalid'],
    ['http://', 'url_invalid'],
    ['', 'url_invalid'],
    ['//example.com/x', 'url_invalid'],
    ['/x.jpg', 'url_invalid'],
    [`http://example.com/${'x'.repeat(9000)}`, 'url_invalid'],
    // other schemes
    ['file:///etc/hostname', 'url_scheme'],
    ['ftp://h/x', 'url_scheme'],
    ['gopher://h/', 'url_scheme'],
    ['data:image/png;base64,AAAA', 'url_scheme'],
    ['blob:http://example.com/1', 'url_scheme'],
    ['javascript:alert(1)', 'url_scheme'],
  ])('%j: %s', (text, expected) => {
    expect(codeOf(text)).toBe(expected)
  })
  it('resolves a relative URL against its base', () => {
    const base = new URL('https://example.com/a/b')

    expect(codeOf('../c', base)).toBe('https://example.com/c')
    expect(codeOf('//10.0.0.1/', base)).toBe('addr_blocked')
    expect(codeOf('HTTP://EXAMPLE.ORG/x', base)).toBe('http://example.org/x')
  })
  it('never has a password in its message', () => {
    expect(() =>
      parseTarget('http://user:secret@example.com/', { ports: PORTS, rule }),
    ).not.toThrow('secret')
  })
})
