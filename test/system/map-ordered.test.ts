import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mapOrdered } from '../../src/system/map-ordered.ts'

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

async function* from<T>(items: readonly T[], onClose = () => {}): AsyncGenerator<T> {
  try {
    for (const item of items) {
      await sleep(0)
      yield item
    }
  } finally {
    onClose()
  }
}

describe('mapOrdered', () => {
  it('keeps the order and the bound for any durations', async () => {
    const durations = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(durations, fc.integer({ min: 1, max: 5 }), async (waits, concurrency) => {
        let running = 0
        let most = 0
        const results = mapOrdered(
          from([...waits.entries()]),
          concurrency,
          async ([index, wait]) => {
            most = Math.max(most, ++running)
            await sleep(wait)
            running--
            return index
          },
        )

        expect(await collect(results)).toEqual([...waits.keys()])
        expect(most).toBeLessThanOrEqual(concurrency)
      }),
      { numRuns: 40 },
    )
  })

  it('never pulls further ahead than the bound', async () => {
    let pulled = 0
    async function* source() {
      for (;;) yield pulled++
    }

    const results = mapOrdered(source(), 3, async (item) => item)
    await results.next()
    await sleep(5)

    expect(pulled).toBeLessThanOrEqual(4)
    await results.return()
  })

  it('hands out a finished result while the source waits for its next item', async () => {
    let release = () => {}
    async function* source() {
      yield 1
      await new Promise<void>((resolve) => (release = resolve))
      yield 2
    }

    const results = mapOrdered(source(), 2, async (item) => item)
    const first = await results.next()
    release()

    expect(first.value).toBe(1)
    expect((await results.next()).value).toBe(2)
  })

  it('fails with the first failure in input order, after what is in flight, and closes the source', async () => {
    let isClosed = false
    let settled = 0
    const source = from([30, 1, 20, 1], () => (isClosed = true))

    const results = mapOrdered(source, 4, async (wait) => {
      await sleep(wait)
      settled++
      throw new Error(String(wait))
    })

    await expect(collect(results)).rejects.toThrow('30')
    expect(isClosed).toBe(true)
    expect(settled).toBeGreaterThan(0)
  })

  it('closes the source when the consumer stops', async () => {
    let isClosed = false

    const source = from([1, 2, 3], () => (isClosed = true))
    for await (const item of mapOrdered(source, 2, async (x) => x)) {
      expect(item).toBe(1)
      break
    }

    expect(isClosed).toBe(true)
  })

  it('passes on an error of the source', async () => {
    async function* source() {
      yield 1
      throw new Error('broken source')
    }

    await expect(collect(mapOrdered(source(), 2, async (x) => x))).rejects.toThrow('broken source')
  })
})
