import { Worker } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import { FatalError } from '../../src/core/errors.ts'
import { startProcess, WorkerDied, WorkerHandle } from '../../src/system/worker.ts'
import { echoProcess, echoThread } from './echo.ts'

// Processes and threads take seconds to start on a machine that has too much to do.
vi.setConfig({ testTimeout: 120_000 })

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
    const thread = serving<number, string>(`async (ms) => {
      globalThis.seen = (globalThis.seen ?? '') + 'in '
      await new Promise((resolve) => setTimeout(resolve, ms))
      globalThis.seen += 'out '
      return { reply: globalThis.seen }
    }`)

    const [first, second] = await Promise.all([thread.request(30), thread.request(1)])

    expect(first).toBe('in out ')
    expect(second).toBe('in out in out ')
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

describe.each([
  ['thread', () => echoThread('thread'), 'the thread'],
  ['process', () => echoProcess(), 'the process'],
] as const)('a %s', { timeout: 120_000 }, (kind, start, name) => {
  it('is ready, answers, and ends when it is told to', async () => {
    const worker = start()

    await worker.ready
    expect(await worker.request('a')).toBe(`${kind} a`)
    expect(worker.isAlive).toBe(true)
    await worker.close()

    expect(worker.isAlive).toBe(false)
    await expect(worker.request('late')).rejects.toThrow(`${name} is closed`)
  })
  it('tells why a request failed, with where', async () => {
    const worker = start()

    const error: unknown = await worker.request('fail').catch((reason: unknown) => reason)
    await worker.kill()

    expect(error).toMatchObject({ message: 'no such tensor' })
    expect((error as Error).stack).toContain('echo-worker')
    expect(error).not.toBeInstanceOf(FatalError)
  })
  it('dies with a message', async () => {
    const worker = start()

    await expect(worker.request('die')).rejects.toMatchObject({
      message: `${name} died: it ended with code 3`,
      ending: 'ended with code 3',
      hung: false,
      wasReady: true,
    })
    expect(worker.isAlive).toBe(false)
  })
  it('is ended when it does not answer in time', async () => {
    const worker = start()

    await expect(worker.request('for ever', { timeoutMs: 200 })).rejects.toMatchObject({
      message: `${name} died: it did not end`,
      hung: true,
      wasReady: true,
    })
  })
  it('has its time from when it gets on', async () => {
    const worker = start()
    await worker.ready
    let looks = 0
    // Twice the time: whoever looks 20 times sees progress at the first 15.
    const progress = () => Math.min(++looks, 15)

    await expect(worker.request('for ever', { timeoutMs: 200, progress })).rejects.toMatchObject({
      hung: true,
    })

    expect(looks).toBeGreaterThanOrEqual(25)
  })
  it('is ended at once, whatever it is at', async () => {
    const worker = start()
    const asked = worker.request('for ever')
    asked.catch(() => undefined)
    await worker.ready

    await worker.kill()

    await expect(asked).rejects.toThrow(WorkerDied)
  })
  it('is ended if it does not finish after it is told to end', async () => {
    const worker = start()
    const asked = worker.request('for ever')
    asked.catch(() => undefined)
    await worker.ready

    await worker.close(200)

    await expect(asked).rejects.toMatchObject({ ending: 'did not end' })
  })
})

describe('a process', { timeout: 120_000 }, () => {
  it('has the environment it is given, and answers side by side', async () => {
    const worker = echoProcess()

    const [first] = await Promise.all([
      Promise.race([worker.request('wait'), worker.request('env')]),
    ])
    await worker.kill()

    expect(first).toBe('process of a process')
  })
  it('tells its last words', async () => {
    await expect(echoProcess().request('complain')).rejects.toMatchObject({
      ending: 'ended with code 4: last words',
    })
  })
  it('has its time from when it is ready', async () => {
    const worker = echoProcess(1000)

    // The start alone takes longer.
    expect(await worker.request('a', { timeoutMs: 500 })).toBe('process a')
    await worker.kill()
  })
  it('is ended if it does not get ready', async () => {
    const worker = echoProcess(3_600_000, 500)

    await expect(worker.request('a')).rejects.toMatchObject({
      ending: 'did not start in time',
      wasReady: false,
    })
    await expect(worker.ready).rejects.toThrow('did not start in time')
  })
  it('dies if there is no such module', async () => {
    const child = startProcess({ path: './no-such-module', from: import.meta.url }, {}, {})

    await expect(new WorkerHandle(child, 'it').request('a')).rejects.toMatchObject({
      ending: expect.stringMatching(/^ended with code 1/),
      wasReady: false,
    })
  })
})
