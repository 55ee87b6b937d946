import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBodyBytes } from '../../src/ingest/fetch/body-bytes.ts'
import { createByteBudget } from '../../src/system/byte-budget.ts'
import { endless, respond, startHostileServer } from '../helpers/hostile-server.ts'
import { makeLoader } from '../helpers/image-loader.ts'
import { makeJpeg } from '../helpers/images.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)

describe('createByteBudget', () => {
  it('lets the share that began first go on, and others while there is room', async () => {
    const budget = createByteBudget(100)
    const [first, second, third] = [budget.open(), budget.open(), budget.open()]
    const done: string[] = []

    expect(first.take(1000, signal)).toBeUndefined()
    expect(second.take(60, signal)).toBeUndefined()
    const waits = third.take(50, signal)!.then(() => done.push('third'))
    // Would fit, but the third was there before.
    const small = second.take(10, signal)!.then(() => done.push('second'))
    await sleep(5)
    expect(done).toEqual([])
    expect(budget.held()).toBe(1060)

    first.keep(0)
    await Promise.all([small, waits])
    expect(done).toEqual(['second', 'third'])
    expect(budget.held()).toBe(120)
    second.keep(0)
    third.keep(20)
    expect(budget.held()).toBe(20)
  })
  it('forgets who gives up', async () => {
    const budget = createByteBudget(10)
    const [first, second, third] = [budget.open(), budget.open(), budget.open()]
    const controller = new AbortController()
    void first.take(1, signal)
    void second.take(8, signal)
    const waits = third.take(5, controller.signal)!
    controller.abort(new Error('enough'))

    await expect(waits).rejects.toThrow('enough')
    await expect(third.take(5, controller.signal)).rejects.toThrow('enough')
    second.keep(0)
    expect(third.take(5, signal)).toBeUndefined()
  })
  it('never holds more than its limit and one share, and always gets on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }), {
          minLength: 1,
          maxLength: 12,
        }),
        async (bodies) => {
          const budget = createByteBudget(50)
          const largest = Math.max(...bodies.map((body) => body.reduce((a, b) => a + b)))
          const read = async (chunks: readonly number[]) => {
            const share = budget.open()
            for (const chunk of chunks) {
              await share.take(chunk, signal)
              expect(budget.held()).toBeLessThanOrEqual(50 + largest)
              await Promise.resolve()
            }
            share.keep(0)
          }
          await Promise.all(bodies.map(read))
          expect(budget.held()).toBe(0)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('createBodyBytes', () => {
  it('is what was appended, however it was cut and whatever was expected', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 12 }),
        fc.oneof(fc.constant(NaN), fc.integer({ min: 0, max: 300_000 })),
        (sizes, expected) => {
          const body = createBodyBytes(expected)
          const chunks = sizes.map((size, index) => Buffer.alloc(size, index + 1))
          for (const chunk of chunks) body.append(chunk)

          expect(body.length).toBe(sizes.reduce((a, b) => a + b, 0))
          expect(Buffer.concat(chunks).equals(body.whole())).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('fetch.maxBytesInFlight', () => {
  it(
    'makes large bodies wait for each other, not the deadline pass',
    { tags: 'long' },
    async () => {
      const jpeg = await makeJpeg({ width: 64, height: 48 })
      const padded = Buffer.concat([jpeg, Buffer.alloc(3_000_000)])
      const server = await startHostileServer({
        '/large': respond(200, {}, padded),
        '/endless': endless('HTTP/1.1 200 OK\r\n\r\n', padded),
      })
      const loader = makeLoader({
        maxBytesInFlight: 2_000_000,
        maxBytes: 4_000_000,
        deadlineMs: 3_000,
        retries: 0,
      })
      let held = 0
      let most = 0
      const receive = async (path: string) => {
        try {
          await loader.receive(
            { kind: 'url', url: server.url(path) },
            signal,
            async ({ bytes }) => {
              held += bytes.length
              most = Math.max(most, held)
              // Longer than the deadline, all together.
              await sleep(600)
              held -= bytes.length
            },
          )
          return 'ok'
        } catch (error) {
          return (error as { code?: string }).code
        }
      }

      const codes = await Promise.all([
        ...Array.from({ length: 8 }, (_, index) => receive(`/large?${index}`)),
        receive('/endless'),
      ])
      await server.close()

      expect(codes).toEqual([...Array<string>(8).fill('ok'), 'body_too_large'])
      expect(most).toBeLessThanOrEqual(2 * padded.length)
    },
  )
})
