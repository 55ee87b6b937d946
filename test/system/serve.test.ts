// What a worker sends and when it ends; worker.test.ts has the other side of the protocol.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { FromWorker, ToWorker } from '../../src/system/serve.ts'
import { ROOT } from '../helpers/groundmill.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

type Message = FromWorker<unknown>

/** A module that serves with `answer`, the text of a function. */
function moduleOf(answer: string, options = '{}'): string {
  const built = pathToFileURL(path.join(ROOT, 'dist/system/serve.js')).href
  return `import(${JSON.stringify(built)}).then(({ serve }) => serve(${answer}, ${options}))`
}

/** All that a thread sends until it ends, and its exit code. */
async function talk(
  [answer, options]: readonly [answer: string, options?: string],
  messages: readonly ToWorker<unknown>[],
) {
  const thread = new Worker(moduleOf(answer, options), { eval: true })
  const sent: Message[] = []
  thread.on('message', (message: Message) => sent.push(message))
  for (const message of messages) thread.postMessage(message)
  const [code] = (await once(thread, 'exit')) as [number]
  return { sent, code }
}

/** A process that is ready, and its next message. */
async function started(code: string) {
  const file = path.join(await temporaryFolder(), 'worker.mjs')
  await fs.writeFile(file, code)
  const child = fork(file, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const next = async () => ((await once(child, 'message')) as [Message])[0]
  expect(await next()).toEqual({ ready: true })
  return { child, next }
}

/** Later requests would be faster. */
const SLOW_FIRST = `async (ms) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return { reply: ms }
}`
const TWO: readonly ToWorker<unknown>[] = [
  { id: 7, request: 200 },
  { id: 8, request: 0 },
  { close: true },
]
const idsOf = (sent: readonly Message[]) => sent.flatMap((one) => ('id' in one ? one.id : []))

describe('serve, in a thread', () => {
  it('says that it is ready, answers in order, and ends when all is answered', async () => {
    const { sent, code } = await talk([SLOW_FIRST], TWO)

    expect(sent).toEqual([{ ready: true }, { id: 7, reply: 200 }, { id: 8, reply: 0 }])
    expect(code).toBe(0)
  })

  it('answers side by side with overlap, and still ends when all is answered', async () => {
    const { sent, code } = await talk([SLOW_FIRST, '{ overlap: true }'], TWO)

    expect(idsOf(sent)).toEqual([8, 7])
    expect(code).toBe(0)
  })

  it.each(['{}', '{ overlap: true }'])('tells what goes wrong and goes on: %s', async (options) => {
    const answer = `(request) => {
      if (request === 'text') throw 'no Error'
      if (request === 'error') throw new TypeError('no such tensor')
      return { reply: request }
    }`
    const requests = ['error', 'text', 'good'].map((request, id) => ({ id, request }))
    const { sent } = await talk([answer, options], [...requests, { close: true }])

    expect(sent.slice(1)).toEqual([
      { id: 0, error: 'no such tensor', stack: expect.stringContaining('TypeError: no such') },
      { id: 1, error: 'no Error', stack: undefined },
      { id: 2, reply: 'good' },
    ])
  })

  it('frees what it holds after the last answer', async () => {
    const answer = `() => ({ reply: globalThis.isFreed === true })`
    const options = `{ close: async () => {
      globalThis.isFreed = true
      require('node:worker_threads').parentPort.postMessage({ freed: true })
    } }`
    const { sent } = await talk([answer, options], [{ id: 0, request: 0 }, { close: true }])

    expect(sent.slice(1)).toEqual([{ id: 0, reply: false }, { freed: true }])
  })

  it('hands buffers over in place of copying them', async () => {
    const answer = `() => {
      const last = globalThis.last?.byteLength
      const bytes = new Uint8Array(8)
      globalThis.last = bytes.buffer
      return { reply: [last, bytes], transfer: [bytes.buffer] }
    }`
    const requests = [0, 1].map((id) => ({ id, request: 0 }))
    const { sent } = await talk([answer], [...requests, { close: true }])

    expect(sent.slice(1)).toEqual([
      { id: 0, reply: [undefined, new Uint8Array(8)] },
      { id: 1, reply: [0, new Uint8Array(8)] },
    ])
  })
})

describe('serve, in a process', () => {
  const ECHO = moduleOf('(request) => ({ reply: request })')

  it('leaves signals to whoever started it', async () => {
    const { child, next } = await started(ECHO)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) child.kill(signal)
    child.send({ id: 1, request: Buffer.from('bytes') })

    expect(await next()).toEqual({ id: 1, reply: Buffer.from('bytes') })
    child.send({ close: true })
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('ends when whoever started it is gone, whatever it is at', async () => {
    const { child } = await started(moduleOf('() => new Promise(() => setInterval(() => 0, 1e9))'))
    child.send({ id: 1, request: 1 })
    child.disconnect()

    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
