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
  it('forgets all when it is cleared', async () => {
    const cache = createCache<string>(2)
    await cache.get('a', async () => 'old')

    cache.clear()

    expect(await cache.get('a', async () => 'new')).toBe('new')
  })
})
