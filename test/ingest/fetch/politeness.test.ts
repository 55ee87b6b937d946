import { setMaxListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { createCircuits } from '../../../src/ingest/fetch/circuit.ts'
import { createHostScheduler } from '../../../src/ingest/fetch/host-scheduler.ts'
import { backoff, parseRetryAfter } from '../../../src/ingest/fetch/retry-after.ts'
import { createWeightedGate } from '../../../src/system/weighted-gate.ts'
import { hostGroup, userAgent } from '../../../src/ingest/fetch/fetcher.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)

describe('parseRetryAfter', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  it.each([
    ['5', 5000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s: %s ms', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected)
  })
  it('survives a number with a thousand digits', () => {
    expect(parseRetryAfter('9'.repeat(1000), now)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('backoff', () => {
  it('doubles up to the cap, with full jitter', () => {
    expect([0, 1, 2, 10].map((attempt) => backoff(attempt, 1000, 30_000, () => 1))).toEqual([
      1000, 2000, 4000, 30_000,
    ])
    expect(backoff(3, 1000, 30_000, () => 0)).toBe(0)
  })
})

describe('createCircuits', () => {
  it('opens after consecutive failures and lets one caller try after the cool-down', () => {
    let now = 0
    const circuits = createCircuits(3, 1000, () => now)

    circuits.failed('h')
    circuits.failed('h')
    circuits.succeeded('h')
    circuits.failed('h')
    circuits.failed('h')
    expect(circuits.remaining('h')).toBe(0)
    circuits.failed('h')
    expect(circuits.remaining('h')).toBe(1000)
    expect(circuits.remaining('other')).toBe(0)

    now = 1000
    expect(circuits.remaining('h')).toBe(0)
    expect(circuits.remaining('h')).toBe(1000)
    circuits.succeeded('h')
    expect(circuits.remaining('h')).toBe(0)
    expect(circuits.remaining('h')).toBe(0)
  })
  it('keeps a pause that was asked for over an answer that was under way', () => {
    let now = 0
    const circuits = createCircuits(3, 1000, () => now)

    circuits.park('h', 5000)
    circuits.succeeded('h')
    expect(circuits.remaining('h')).toBe(5000)
    now = 5000
    expect(circuits.remaining('h')).toBe(0)
  })
})

describe('createHostScheduler', () => {
  const base = { concurrency: 100, perGroup: 100, perGroupPerSecond: 0 }

  it('never exceeds the limit of a group or of all', async () => {
    const scheduler = createHostScheduler({ ...base, concurrency: 5, perGroup: 2 })
    const active = new Map<string, number>()
    let all = 0
    let [worstGroup, worstAll] = [0, 0]

    const work = async (group: string) => {
      const slot = await scheduler.acquire(group, signal)
      const count = (active.get(group) ?? 0) + 1
      active.set(group, count)
      worstAll = Math.max(worstAll, ++all)
      worstGroup = Math.max(worstGroup, count)
      await new Promise((resolve) => setImmediate(resolve))
      active.set(group, (active.get(group) ?? 0) - 1)
      all--
      slot.release(false)
    }
    // Seven groups reach the limit of all; a long queue of one of them reaches its own.
    const spread = Array.from({ length: 100 }, (_, index) => `g${index % 7}`)
    await Promise.all([...spread, ...Array<string>(100).fill('g0')].map(work))

    expect(worstGroup).toBe(2)
    expect(worstAll).toBe(5)
  })
  it('gives groups their turns, whatever the order of the callers', async () => {
    const scheduler = createHostScheduler({ ...base, concurrency: 1 })
    const order: string[] = []
    const hold = await scheduler.acquire('x', signal)

    const done = ['a', 'a', 'a', 'b', 'b', 'c'].map(async (group) => {
      const slot = await scheduler.acquire(group, signal)
      order.push(group)
      slot.release(false)
    })
    hold.release(false)
    await Promise.all(done)

    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'a'])
  })
  it('keeps the rate of a group', async () => {
    vi.useFakeTimers()
    try {
      const scheduler = createHostScheduler({ ...base, perGroupPerSecond: 10 })
      let started = 0
      for (let i = 0; i < 40; i++) {
        void scheduler.acquire('a', signal).then((slot) => {
          started++
          slot.release(false)
        })
      }
      await vi.advanceTimersByTimeAsync(0)
      expect(started).toBe(10)
      await vi.advanceTimersByTimeAsync(1000)
      expect(started).toBeGreaterThanOrEqual(19)
      expect(started).toBeLessThanOrEqual(20)
      await vi.advanceTimersByTimeAsync(2100)
      expect(started).toBe(40)
    } finally {
      vi.useRealTimers()
    }
  })
  it('holds a paused group and lets the others go', async () => {
    vi.useFakeTimers()
    try {
      const scheduler = createHostScheduler(base)
      const started: string[] = []
      scheduler.pause('a', Date.now() + 5000)
      for (const group of ['a', 'b']) {
        void scheduler.acquire(group, signal).then(() => started.push(group))
      }
      await vi.advanceTimersByTimeAsync(4000)
      expect(started).toEqual(['b'])
      await vi.advanceTimersByTimeAsync(1001)
      expect(started).toEqual(['b', 'a'])
    } finally {
      vi.useRealTimers()
    }
  })
  it('lowers the limit while requests time out and raises it again', async () => {
    const scheduler = createHostScheduler({ ...base, concurrency: 64 })
    const rounds = async (count: number, congested: boolean) => {
      for (let i = 0; i < count * 50; i++) {
        ;(await scheduler.acquire('a', signal)).release(congested)
      }
    }

    await rounds(1, true)
    expect(scheduler.limit()).toBe(44)
    await rounds(20, true)
    expect(scheduler.limit()).toBe(8)
    await rounds(20, false)
    expect(scheduler.limit()).toBe(64)
  })
  it('forgets a caller that gives up', async () => {
    const scheduler = createHostScheduler({ ...base, concurrency: 1 })
    const hold = await scheduler.acquire('a', signal)
    const controller = new AbortController()
    const waiting = scheduler.acquire('a', controller.signal)

    controller.abort(new Error('stop'))
    await expect(waiting).rejects.toThrow('stop')
    hold.release(false)
    hold.release(false)
    const next = await scheduler.acquire('a', signal)
    next.release(false)
    await expect(scheduler.acquire('a', AbortSignal.abort(new Error('late')))).rejects.toThrow(
      'late',
    )
  })
})

describe('createWeightedGate', () => {
  it('bounds count and weight, and lets an oversized caller in alone', async () => {
    const gate = createWeightedGate(2, 10)
    const first = await gate.acquire(4, signal)
    const second = await gate.acquire(6, signal)
    const order: string[] = []
    const huge = gate.acquire(99, signal).then((release) => {
      order.push('huge')
      return release
    })
    const small = gate.acquire(1, signal).then((release) => {
      order.push('small')
      return release
    })

    first()
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual([])
    second()
    const releaseHuge = await huge
    expect(order).toEqual(['huge'])
    releaseHuge()
    ;(await small)()
    expect(order).toEqual(['huge', 'small'])
  })
})

describe('hostGroup', () => {
  it('is the registrable domain, so that one owner has one limit', () => {
    expect(hostGroup('farm1.static.flickr.com')).toBe('flickr.com')
    expect(hostGroup('img.example.co.uk')).toBe('example.co.uk')
    expect(hostGroup('d1.cloudfront.net')).toBe('d1.cloudfront.net')
    expect(hostGroup('93.184.215.14')).toBe('93.184.215.14')
    expect(hostGroup('[2606:4700::1]')).toBe('[2606:4700::1]')
    expect(hostGroup('localhost')).toBe('localhost')
  })
})

describe('userAgent', () => {
  it('says who we are and whom to ask', () => {
    expect(userAgent('https://example.org')).toMatch(
      /^groundmill\/\d+\.\d+\.\d+ \(\+https:\/\/example\.org\)$/,
    )
    expect(userAgent(undefined)).toMatch(/^groundmill\/[\d.]+$/)
  })
})
