import { describe, expect, it, vi } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import { fetchOptionsSchema } from '../../../src/ingest/fetch/options.ts'
import { createSitePolicies, parseTdmRep } from '../../../src/ingest/fetch/site-policy.ts'

const { signal } = new AbortController()
const options = fetchOptionsSchema.parse({})
const DAY_MS = 86_400_000

/** Of sites whose files are those of the table, by path; a path without text is not there. */
function policiesOf(files: Readonly<Record<string, string | Error>>, over = {}) {
  const fetchText = vi.fn(async ({ pathname }: URL) => {
    const file = files[pathname] ?? null
    if (file instanceof Error) throw file
    return file
  })
  const clock = { now: 0 }
  const checkSite = createSitePolicies({ ...options, ...over, fetchText }, () => clock.now)
  const check = (url: string) =>
    checkSite(new URL(url), signal).then(
      () => 'ok',
      (error: SampleError) => `${error.code}: ${error.message}`,
    )
  return { check, fetchText, clock }
}

describe('createSitePolicies', () => {
  it('asks a site once for all its rows, however many at once', async () => {
    const { check, fetchText } = policiesOf({ '/robots.txt': 'User-agent: *\nDisallow: /no' })

    const outcomes = await Promise.all(
      ['/a', '/no', '/no?x'].map((to) => check(`http://a.test${to}`)),
    )

    expect(outcomes).toEqual([
      'ok',
      'robots_disallowed: robots.txt of a.test',
      'robots_disallowed: robots.txt of a.test',
    ])
    expect(fetchText.mock.calls.map(([url]) => url.href)).toEqual([
      'http://a.test/robots.txt',
      'http://a.test/.well-known/tdmrep.json',
    ])
  })
  it('tells sites apart by scheme and port', async () => {
    const { check, fetchText } = policiesOf({})

    for (const url of ['http://a.test/x', 'https://a.test/x', 'http://a.test:81/x'])
      await check(url)

    expect(fetchText).toHaveBeenCalledTimes(6)
  })
  it('refuses what robots.txt and tdmrep.json reserve', async () => {
    const { check } = policiesOf({
      '/robots.txt': 'User-agent: *\nContent-Usage: train-ai=n',
      '/.well-known/tdmrep.json': '[{"location": "/mine/*", "tdm-reservation": 1}]',
    })

    expect(await check('http://a.test/x')).toMatch(/^optout_header: robots.txt of a.test: /)
    const reserved = policiesOf({
      '/.well-known/tdmrep.json': '[{"location": "/mine/*", "tdm-reservation": 1}]',
    })
    expect(await reserved.check('http://a.test/mine/x')).toMatch(/^optout_header: tdmrep.json/)
    expect(await reserved.check('http://a.test/yours')).toBe('ok')
  })
  it('takes silence for a no, and asks again after a minute', async () => {
    const { check, fetchText, clock } = policiesOf({
      '/robots.txt': new SampleError('deadline', 'late'),
    })

    expect(await check('http://a.test/x')).toMatch(/^robots_unreachable: .*deadline late/)
    clock.now = 59_999
    await check('http://a.test/x')
    expect(fetchText).toHaveBeenCalledTimes(2)
    clock.now = 60_000
    await check('http://a.test/x')

    expect(fetchText).toHaveBeenCalledTimes(4)
  })
  it('keeps the reason when the site cannot be reached at all, and asks at once', async () => {
    const refused = new SampleError('connect_refused', 'nobody there')
    const { check, fetchText } = policiesOf({ '/robots.txt': refused })

    expect(await check('http://a.test/x')).toBe('connect_refused: nobody there')
    await check('http://a.test/x')

    expect(fetchText).toHaveBeenCalledTimes(4)
  })
  it('keeps what a site says for a day', async () => {
    const { check, fetchText, clock } = policiesOf({})

    await check('http://a.test/x')
    clock.now = DAY_MS - 1
    await check('http://a.test/x')
    expect(fetchText).toHaveBeenCalledTimes(2)
    clock.now = DAY_MS
    await check('http://a.test/x')

    expect(fetchText).toHaveBeenCalledTimes(4)
  })
  it('asks nobody when nothing is wanted', async () => {
    const optOut = { ...options.optOut, tdmReservation: false, contentUsage: [], contentSignal: [] }
    const { check, fetchText } = policiesOf({}, { robots: false, optOut })

    expect(await check('http://a.test/x')).toBe('ok')
    expect(fetchText).not.toHaveBeenCalled()
  })
})

describe('parseTdmRep', () => {
  it('gives the reserved locations', () => {
    const text = JSON.stringify([
      { location: '/a/*', 'tdm-reservation': 1 },
      { location: '/b', 'tdm-reservation': 0 },
      { location: 7, 'tdm-reservation': 1 },
      null,
    ])

    expect(parseTdmRep(text)).toEqual(['/a/*'])
    expect(parseTdmRep('<html>')).toEqual([])
    expect(parseTdmRep('{"location": "/"}')).toEqual([])
  })
})
