import { describe, expect, it } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import { createAddressRule } from '../../../src/ingest/fetch/guard.ts'
import { createFollow, type RequestHop } from '../../../src/ingest/fetch/redirects.ts'
import { createByteBudget } from '../../../src/system/byte-budget.ts'

const { signal } = new AbortController()
const rule = createAddressRule({ allowAddresses: [], nat64: false, ownAddresses: [] })
const RULES = { deadlineMs: 1000, maxRedirects: 3, ports: [80, 443], allowDowngrade: false, rule }

/** Sites as a table: a text is where the URL leads, a number its status. */
function followerOf(table: Readonly<Record<string, string | number>>, over = {}, tookMs = 10) {
  const deadlines: number[] = []
  const hop: RequestHop = async (url, { onHeaders, deadlineMs }) => {
    deadlines.push(deadlineMs)
    const entry = table[url.href]
    const [status, headers] =
      typeof entry === 'string' ? [302, { location: entry }] : [entry ?? 404, {}]
    const isWanted = onHeaders({ url, status, headers })
    return { url, status, headers, body: Buffer.from(isWanted ? 'body' : ''), tookMs }
  }
  const follow = createFollow({ ...RULES, ...over }, hop)
  const share = createByteBudget(1000).open()
  const ask = { maxBytes: 10, share, signal, accept: '*/*', onHeaders: () => true }
  return { deadlines, from: (url: string, more = {}) => follow(new URL(url), { ...ask, ...more }) }
}

describe('createFollow', () => {
  it('gives the answer where the redirects lead', async () => {
    const { from, deadlines } = followerOf({
      'http://a.test/': '/b',
      'http://a.test/b': 'https://c.test/d',
      'https://c.test/d': 200,
    })

    const { url, status, body } = await from('http://a.test/')

    expect([url.href, status, String(body)]).toEqual(['https://c.test/d', 200, 'body'])
    expect(deadlines).toEqual([1000, 990, 980])
  })
  it('has one deadline for all hops', async () => {
    const { from, deadlines } = followerOf({ 'http://a.test/': '/' }, { maxRedirects: 20 }, 400)

    await expect(from('http://a.test/')).rejects.toMatchObject({ code: 'deadline' })

    expect(deadlines).toEqual([1000, 600, 200])
  })
  it('ends after the limit', async () => {
    const { from, deadlines } = followerOf({ 'http://a.test/': '/' })

    await expect(from('http://a.test/')).rejects.toMatchObject({
      code: 'redirect_limit',
      message: 'more than 3 redirects',
    })
    expect(deadlines).toHaveLength(4)
  })
  it.each([
    ['to a private address', 'http://a.test/', 'http://127.0.0.1/', 'addr_blocked: 127.0.0.1'],
    ['to another scheme', 'http://a.test/', 'file:///etc/passwd', 'url_scheme: '],
    ['to another port', 'http://a.test/', 'http://b.test:22/', 'url_port: '],
    ['from https to http', 'https://a.test/', 'http://a.test/x', 'from https to http://a.test/x'],
  ])('does not go %s', async (_, start, target, message) => {
    const { from } = followerOf({ [start]: target })

    await expect(from(start)).rejects.toMatchObject({
      code: 'redirect_blocked',
      message: expect.stringContaining(message),
      context: { host: 'a.test' },
    })
  })
  it('goes from https to http where that is allowed', async () => {
    const table = { 'https://a.test/': 'http://a.test/x', 'http://a.test/x': 200 }

    expect(await followerOf(table, { allowDowngrade: true }).from('https://a.test/')).toMatchObject(
      {
        status: 200,
      },
    )
  })
  it('asks before each hop, and blames the redirect for what only a later one refuses', async () => {
    const seen: string[] = []
    const before = async ({ href }: URL) => {
      seen.push(href)
      if (href.endsWith('/no')) throw new SampleError('addr_blocked', 'not there')
    }
    const { from } = followerOf({ 'http://a.test/': '/no' })

    await expect(from('http://a.test/', { before })).rejects.toMatchObject({
      code: 'redirect_blocked',
    })
    await expect(from('http://a.test/no', { before })).rejects.toMatchObject({
      code: 'addr_blocked',
    })
    expect(seen).toEqual(['http://a.test/', 'http://a.test/no', 'http://a.test/no'])
  })
  it.each([304, 300, 302])('takes status %i without a location as an answer', async (status) => {
    expect(await followerOf({ 'http://a.test/': status }).from('http://a.test/')).toMatchObject({
      status,
    })
  })
})
