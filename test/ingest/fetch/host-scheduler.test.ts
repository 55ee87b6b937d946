import { setMaxListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { createHostScheduler } from '../../../src/ingest/fetch/host-scheduler.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)

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
