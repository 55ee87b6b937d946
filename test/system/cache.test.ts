import { describe, expect, it, vi } from 'vitest'
import { createCache } from '../../src/system/cache.ts'

describe('createCache', () => {
  it('makes a value once, however many ask', async () => {
    const cache = createCache<string>(2)
    const make = vi.fn(async () => 'a')

    const values = await Promise.all([cache.get('a', make), cache.get('a', make)])

    expect(values).toEqual(['a', 'a'])
    expect(make).toHaveBeenCalledTimes(1)
  })
  it('lets the longest unused leave', async () => {
    const cache = createCache<string>(2)
    const make = vi.fn(async () => 'x')
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await cache.get(key, make)

    // a, b, c; then b again, which c had pushed out.
    expect(make).toHaveBeenCalledTimes(4)
  })
  it('forgets what failed', async () => {
    const cache = createCache<string>(2)

    await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')

    expect(await cache.get('a', async () => 'yes')).toBe('yes')
  })
  it('makes a value anew when its time is over, and a failure when its own is', async () => {
    let now = 0
    const make = vi.fn(async (ms: number) => ms)
    const cache = createCache<number>(2, {
      keepMs: (ms) => ms,
      keepErrorMs: () => 5,
      now: () => now,
    })
    const fail = vi.fn(() => Promise.reject<number>(new Error('no')))
    for (now of [0, 9, 10]) await cache.get('a', () => make(10))
    for (now of [0, 4, 5]) await cache.get('b', fail).catch(() => 0)

    expect([make, fail].map((mock) => mock.mock.calls.length)).toEqual([2, 2])
  })
})
