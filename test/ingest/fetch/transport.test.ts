import { describe, expect, it, onTestFinished } from 'vitest'
import { createAddressRule } from '../../../src/ingest/fetch/guard.ts'
import { fetchOptionsSchema } from '../../../src/ingest/fetch/options.ts'
import { createResolver } from '../../../src/ingest/fetch/resolver.ts'
import {
  contentEncoding,
  createTransport,
  type GetOptions,
} from '../../../src/ingest/fetch/transport.ts'
import { createByteBudget } from '../../../src/system/byte-budget.ts'
import { respond, startHostileServer } from '../../helpers/hostile-server.ts'

async function open(answers: Parameters<typeof startHostileServer>[0]) {
  const server = await startHostileServer(answers)
  const options = fetchOptionsSchema.parse({ allowAddresses: ['127.0.0.1/32'], ports: 'any' })
  const rule = createAddressRule({ ...options, ownAddresses: [] })
  const query = async () => []
  const resolve = createResolver({ ...options, rule }, { query })
  const transport = createTransport({ ...options, userAgent: 'test/1', rule, resolve })
  onTestFinished(async () => {
    await transport.close()
    await server.close()
  })
  const budget = createByteBudget(1e6)
  const get = (url: string, over: Partial<GetOptions> = {}) =>
    transport.get(new URL(url), {
      signal: new AbortController().signal,
      deadlineMs: 20_000,
      maxBytes: 1000,
      share: budget.open(),
      accept: 'image/*',
      onHeaders: () => true,
      ...over,
    })
  return { server, get }
}

describe('createTransport', () => {
  it('gives status, headers and body, and says who asks', async () => {
    const { server, get } = await open({ '/x': respond(200, { 'x-a': 'b' }, 'text') })

    const { status, headers, body } = await get(server.url('/x'))

    expect([status, headers['x-a'], String(body)]).toEqual([200, 'b', 'text'])
    expect(server.asked[0]?.headers).toMatchObject({ 'user-agent': 'test/1', accept: 'image/*' })
  })
  it('leaves a redirect to whoever asked', async () => {
    const { server, get } = await open({ '/x': respond(302, { location: '/y' }) })

    expect(await get(server.url('/x'), { onHeaders: () => false })).toMatchObject({ status: 302 })
    expect(server.paths()).toEqual(['/x'])
  })
  it('refuses a longer body, or cuts it', async () => {
    const { server, get } = await open({ '/x': respond(200, {}, 'text') })

    await expect(get(server.url('/x'), { maxBytes: 3 })).rejects.toMatchObject({
      code: 'body_too_large',
    })
    expect(String((await get(server.url('/x'), { maxBytes: 3, cut: true })).body)).toBe('tex')
  })
  it('shows the first bytes once, also of a body that is shorter', async () => {
    const { server, get } = await open({
      '/long': respond(200, {}, 'x'.repeat(500)),
      '/short': respond(200, {}, 'x'),
    })
    const seen: number[] = []
    const onHead = (head: Uint8Array) => void seen.push(head.length)

    await get(server.url('/short'), { onHead })
    await get(server.url('/long'), { onHead })

    expect(seen).toHaveLength(2)
    expect(seen[0]).toBe(1)
    expect(seen[1]).toBeGreaterThanOrEqual(32)
  })
  it('connects to no address that the rule refuses', async () => {
    const { server, get } = await open({})

    await expect(get(server.url('/x').replace('127.0.0.1', '127.0.0.2'))).rejects.toMatchObject({
      code: 'addr_blocked',
    })
    expect(server.connections()).toBe(0)
  })
  it('ends with the reason of the signal', async () => {
    const { server, get } = await open({ '/x': () => undefined })
    const controller = new AbortController()
    const asked = get(server.url('/x'), { signal: controller.signal })

    controller.abort(new Error('enough'))

    await expect(asked).rejects.toThrow('enough')
  })
})

describe('contentEncoding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['Identity', undefined],
    [' GZIP', 'gzip'],
    [['gzip', 'br'], 'gzip,br'],
  ])('%j: %s', (value, expected) => {
    expect(contentEncoding({ 'content-encoding': value })).toBe(expected)
  })
})
