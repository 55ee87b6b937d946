import { describe, expect, it } from 'vitest'
import { createAnswerLog, judgeClock, judgeRobots } from '../../src/doctor/answers.ts'
import { fetchOptionsSchema } from '../../src/ingest/fetch/options.ts'

describe('the clock', () => {
  const NOW = Date.UTC(2026, 10, 1)
  const judge = (...ahead: number[]) =>
    judgeClock({ ahead: new Map(ahead.map((ms, index) => [`h${index}`, ms])) }, NOW)

  it.each([
    ['is right by most of the servers', [300, -200, 9_999_999], 'ok', '0.3 s behind 3 servers'],
    ['is late', [20_000, 21_000, 22_000], 'warn', '21.0 s behind 3 servers'],
    ['is hours ahead', [-4e6, -4e6, -4e6], 'fail', '4000.0 s ahead of 3 servers'],
    ['is hours ahead of one, which may be wrong itself', [-4e6], 'warn', 'the one server'],
  ])('%s', (_, ahead, status, detail) => {
    expect(judge(...ahead)).toMatchObject({ status, detail: expect.stringContaining(detail) })
  })
  it('is before this program was made', () => {
    expect(judgeClock({ ahead: new Map() }, Date.UTC(2020, 0, 1))).toMatchObject({ status: 'fail' })
  })
})

describe('createAnswerLog', () => {
  const NOW = Date.UTC(2026, 10, 1)
  const answer = (url: string, headers: Readonly<Record<string, string>> = {}, status = 200) => ({
    url: new URL(url),
    status,
    headers,
    tookMs: 20,
  })

  it('compares clocks by date and age, the first answer of each host', () => {
    const log = createAnswerLog(() => NOW)
    const date = new Date(NOW + 60_000).toUTCString()

    log.onAnswer(answer('http://a.test/1', { date }))
    log.onAnswer(answer('http://a.test/2', { date: new Date(NOW).toUTCString() }))
    log.onAnswer(answer('http://b.test/1', { date, age: '30' }))
    log.onAnswer(answer('http://c.test/1', { date: 'yesterday' }))

    // The date has whole seconds, so half of one is added.
    expect([...log.ahead]).toEqual([
      ['a.test', 60_500],
      ['b.test', 90_500],
    ])
  })
  it('adds up what robots.txt took, redirects included', () => {
    const log = createAnswerLog(() => NOW)

    log.onAnswer(answer('http://a.test/robots.txt', {}, 301))
    log.onAnswer(answer('http://a.test/robots.txt', {}, 404))
    log.onAnswer(answer('http://a.test/x.jpg'))

    expect([...log.robots]).toEqual([['a.test', { status: 404, ms: 40 }]])
  })
})

describe('judgeRobots', () => {
  const options = fetchOptionsSchema.parse({})
  const nothing = {
    unreachable: new Set<string>(),
    refusedRows: 0,
    refusingHosts: new Set<string>(),
  }

  it('says when no site was asked, and why', () => {
    expect(judgeRobots({ ...createAnswerLog(), ...nothing, rows: 5 }, options)).toEqual({
      check: 'robots',
      status: 'ok',
      detail: 'no site was asked for it',
    })
    const off = fetchOptionsSchema.parse({
      robots: false,
      optOut: { contentUsage: [], contentSignal: [] },
    })
    expect(judgeRobots({ ...createAnswerLog(), ...nothing, rows: 5 }, off).detail).toMatch(
      /fetch.robots: false/,
    )
  })
  it('warns when many sites are silent or refuse', () => {
    const losses = { unreachable: new Set(['a']), refusedRows: 3, refusingHosts: new Set(['b']) }

    expect(judgeRobots({ ...createAnswerLog(), ...losses, rows: 5 }, options)).toMatchObject({
      status: 'warn',
      detail:
        '1 hosts for 5 rows: 0 have a robots.txt, 0 have none, 1 could not give it; 1 hosts refuse 3 rows',
      advice: expect.stringMatching(/retry-failed later; that is to be respected/),
    })
  })
})
