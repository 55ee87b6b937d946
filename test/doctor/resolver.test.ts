import { describe, expect, it } from 'vitest'
import { judgeResolver, lookUpHosts, type Lookups } from '../../src/doctor/resolver.ts'
import { fetchOptionsSchema } from '../../src/ingest/fetch/options.ts'

const options = fetchOptionsSchema.parse({ concurrency: 100 })
const FINE: Lookups = {
  names: 20,
  answered: 20,
  medianMs: 5,
  slowestMs: 90,
  perSecond: 500,
  targets: [],
  urls: 40,
}
const judge = (over: Partial<Lookups>, secondsPerImage?: number) =>
  judgeResolver({ ...FINE, ...over, secondsPerImage }, options)

describe('judgeResolver', () => {
  it('is fine with a quick one', () => {
    expect(judge({}, 1)).toEqual({
      check: 'resolver',
      status: 'ok',
      detail:
        '20 of 20 names answered, median 5 ms, slowest 90 ms, 500 names/s; a run here asks for up to 50/s',
    })
  })
  it('says nothing of a need that is not known', () => {
    expect(judge({}).detail).toMatch(/500 names\/s$/)
  })
  it.each([
    ['is slower than the run', { perSecond: 49 }, 1, 'the resolver is slower than the run'],
    ['is slow', { medianMs: 201 }, 1, 'will lose rows as dns_timeout'],
    ['does not know all', { answered: 19 }, 1, 'will lose rows as dns_timeout'],
  ])('warns of one that %s', (_, over, seconds, advice) => {
    expect(judge(over, seconds)).toMatchObject({
      status: 'warn',
      advice: expect.stringContaining(advice),
    })
  })
  it('takes no rate from a few names', () => {
    expect(judge({ names: 9, answered: 9, perSecond: 1 }, 0.1)).toMatchObject({ status: 'ok' })
  })
  it('fails when none is answered', () => {
    expect(judge({ answered: 0 })).toMatchObject({
      status: 'fail',
      detail: '0 of 20 names answered',
    })
  })
})

describe('lookUpHosts', () => {
  it('needs no server for addresses, and leaves out what the guard refuses', async () => {
    const own = fetchOptionsSchema.parse({ allowAddresses: ['127.0.0.1/32'] })

    const found = await lookUpHosts(own, [
      'http://127.0.0.1/x',
      'https://127.0.0.1/y',
      'http://10.0.0.1/x',
      'no url',
    ])

    expect(found).toMatchObject({ names: 0, answered: 0, urls: 2 })
    expect(found.targets).toEqual([
      { host: '127.0.0.1', port: 443, addresses: [{ address: '127.0.0.1', family: 4 }] },
    ])
  })
})
