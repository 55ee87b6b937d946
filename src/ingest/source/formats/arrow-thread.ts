// The thread that parses Arrow: one request at a time, each with a deadline.

import type { Worker } from 'node:worker_threads'
import { startWorker } from '../../../system/start-worker.ts'
import type { ArrowReply, ArrowRequest } from './arrow-worker.ts'
import { DamagedFile } from './format.ts'

/** Far above what a batch takes; the thread is ended then. */
const DEADLINE_MS = 60_000
const MAX_HEAP_MB = 2048

export interface ArrowThread {
  /**
   * @param deadlineMs from when the thread turns to the request
   * @throws DamagedFile if the bytes cannot be parsed, or not in that time
   */
  ask(request: ArrowRequest, deadlineMs?: number): Promise<ArrowReply>
  close(): Promise<void>
}

let shared: ArrowThread | undefined

/** One for all sources of a process, since it takes a while to start; keeps no process alive. */
export function sharedArrowThread(): ArrowThread {
  shared ??= createArrowThread()
  return shared
}

export function createArrowThread(): ArrowThread {
  let worker: Worker | undefined
  let last: Promise<unknown> = Promise.resolve()

  const end = async (): Promise<void> => {
    const ended = worker
    worker = undefined
    await ended?.terminate()
  }
  const askNow = async (request: ArrowRequest, deadlineMs: number): Promise<ArrowReply> => {
    worker ??= startWorker('./arrow-worker', import.meta.url, {
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    })
    const current = worker
    current.ref()
    let reply: ArrowReply
    try {
      reply = await answerOf(current, request, deadlineMs)
    } catch (error) {
      await end()
      throw error
    }
    current.unref()
    if ('error' in reply) throw new DamagedFile(reply.error)
    return reply
  }
  return {
    ask: (request, deadlineMs = DEADLINE_MS) => {
      const answer = last.then(() => askNow(request, deadlineMs))
      last = answer.catch(() => undefined)
      return answer
    },
    close: end,
  }
}

/** The next message; rejects when the thread fails, ends or takes too long. */
function answerOf(worker: Worker, request: ArrowRequest, deadlineMs: number): Promise<ArrowReply> {
  return new Promise<ArrowReply>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
    }
    const fail = (message: string): void => {
      settle()
      reject(new DamagedFile(message))
    }
    const onMessage = (reply: ArrowReply): void => {
      settle()
      resolve(reply)
    }
    const onError = (error: Error): void => {
      fail(`the parser failed: ${error.message}`)
    }
    const onExit = (): void => {
      fail('the parser ended')
    }
    const timer = setTimeout(() => {
      fail(`not parsed in ${deadlineMs / 1000} s, as corrupted bytes may cause`)
    }, deadlineMs)
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
    worker.postMessage(request)
  })
}
