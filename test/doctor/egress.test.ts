import net from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkEgress } from '../../src/doctor/egress.ts'
import type { Lookups } from '../../src/doctor/resolver.ts'
import { fetchOptionsSchema } from '../../src/ingest/fetch/options.ts'

const options = fetchOptionsSchema.parse({ ipv6: false })
const NOTHING: Lookups = {
  names: 0,
  answered: 0,
  medianMs: 0,
  slowestMs: 0,
  perSecond: 0,
  targets: [],
  urls: 0,
}

/** A host of this machine where somebody listens, or nobody. */
async function target(host: string, isOpen: boolean) {
  const server = net.createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const close = () => new Promise((resolve) => server.close(resolve))
  if (isOpen) onTestFinished(async () => void (await close()))
  else await close()
  return { host, port, addresses: [{ address: '127.0.0.1', family: 4 as const }] }
}

describe('checkEgress', () => {
  it('has nothing to say when no row has a URL', async () => {
    expect(await checkEgress(NOTHING, { ...options, env: { HTTP_PROXY: '' } })).toEqual({
      check: 'egress',
      status: 'ok',
      detail: 'these rows need no network',
    })
  })
  it('counts the hosts that connect', async () => {
    const targets = [await target('a.test', true), await target('b.test', true)]
    const lookups = { ...NOTHING, names: 3, answered: 3, urls: 3, targets }

    expect(await checkEgress(lookups, { ...options, env: {} })).toEqual({
      check: 'egress',
      status: 'ok',
      detail:
        'IPv4: 2 of 2 hosts connect; IPv6: not asked for (fetch.ipv6); 1 names without an allowed address',
    })
  })
  it('warns when most do not', async () => {
    const targets = [
      await target('a.test', true),
      await target('b.test', false),
      await target('c.test', false),
    ]

    expect(
      await checkEgress(
        { ...NOTHING, names: 3, answered: 3, urls: 3, targets },
        { ...options, env: {} },
      ),
    ).toMatchObject({ status: 'warn', detail: expect.stringMatching(/^IPv4: 1 of 3/) })
  })
  it.each([
    ['with names', { names: 1, answered: 1 }, 'it is one without the internet'],
    ['without any answer', { names: 1, answered: 0 }, 'nothing to connect to without a resolver'],
  ])('fails %s and no address', async (_, over, advice) => {
    expect(
      await checkEgress({ ...NOTHING, ...over, urls: 1 }, { ...options, env: {} }),
    ).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining(advice),
    })
  })
})
