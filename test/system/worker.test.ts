import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { FatalError } from '../../src/core/errors.ts'
import { WorkerHandle } from '../../src/system/worker.ts'

const SERVE = new URL('../../src/system/serve.ts', import.meta.url).href
const TSX = new URL('../../node_modules/tsx/dist/esm/api/index.mjs', import.meta.url).href

/** A thread that answers with `body`, the text of a function of the request. */
function serving<Request, Reply>(body: string): WorkerHandle<Request, Reply> {
  const code = `import(${JSON.stringify(TSX)})
    .then(({ register }) => { register(); return import(${JSON.stringify(SERVE)}) })
    .then(({ serve }) => serve(${body}))`
  return new WorkerHandle(new Worker(code, { eval: true }), 'the test thread')
}

describe('WorkerHandle', () => {
  it('answers one request after another', async () => {
    const thread = serving<number, number>(`async (ms) => {
      const startedAt = performance.now()
      await new Promise((resolve) => setTimeout(resolve, ms))
      globalThis.busy = (globalThis.busy ?? 0) + performance.now() - startedAt
      return { reply: globalThis.busy }
    }`)

    const [first, second] = await Promise.all([thread.request(30), thread.request(1)])

    expect(second).toBeGreaterThan(first)
    expect(thread.pending).toBe(0)
    await thread.close()
  })

  it('passes on the message of a request that fails, and goes on', async () => {
    const thread = serving<string, string>(`(text) => {
      if (text === 'bad') throw new Error('no such tensor')
      return { reply: text }
    }`)

    await expect(thread.request('bad')).rejects.toThrow(/^no such tensor$/)
    expect(await thread.request('good')).toBe('good')
    await thread.close()
  })

  it('answers what was asked before it closes', async () => {
    const thread = serving<string, string>(
      `async (text) => {
        await new Promise((resolve) => setTimeout(resolve, 30))
        return { reply: text }
      }`,
    )

    const reply = thread.request('last')
    await thread.close()

    expect(await reply).toBe('last')
    await expect(thread.request('late')).rejects.toThrow('the test thread is closed')
  })

  it.each([
    ['ends', '() => process.exit(3)', 'the test thread died: it ended with code 3'],
    [
      'throws outside of a request',
      `() => { setTimeout(() => { throw new Error('out of luck') }); return new Promise(() => {}) }`,
      'the test thread died: out of luck',
    ],
  ])('is fatal for every request when the thread %s', async (_, body, message) => {
    const thread = serving<string, string>(body)

    const requests = [thread.request('a'), thread.request('b')]
    const results = await Promise.allSettled(requests)

    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected' })
      const { reason } = result as PromiseRejectedResult
      expect(reason).toBeInstanceOf(FatalError)
      expect((reason as Error).message).toBe(message)
    }
    await expect(thread.request('c')).rejects.toThrow(message)
    await thread.close()
  })

  it('is fatal when the thread runs out of memory', async () => {
    const worker = new Worker(
      `require('node:worker_threads').parentPort.on('message', () => {
        const kept = []
        for (;;) kept.push(new Array(1e6).fill(kept.length))
      })`,
      { eval: true, resourceLimits: { maxOldGenerationSizeMb: 20 } },
    )
    const thread = new WorkerHandle<string, string>(worker, 'the test thread')

    await expect(thread.request('x')).rejects.toThrow(/the test thread died: .*memory/)
  })
})
