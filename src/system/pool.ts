// Workers that take requests in turn: started when they are needed, replaced when they have died.

import pLimit from 'p-limit'
import { untilAborted } from './deadline.ts'
import type { RequestOptions, WorkerHandle } from './worker.ts'

/** Nothing more is taken. */
export class PoolClosed extends Error {
  override readonly name = 'PoolClosed'
}

/** What a pool is made of. */
export interface PoolOptions<Request, Reply> {
  /** For messages. */
  readonly name: string
  /** Workers at most. */
  readonly count: number
  /** Requests that a worker is at, at the same time; further ones wait. */
  readonly each: number
  readonly start: () => WorkerHandle<Request, Reply>
  /**
   * At the end the workers finish what they were asked, unless none answers for so long. Absent: they are ended
   * at once.
   */
  readonly drainMs?: number
}

/** How to use workers without knowing them. */
export interface Pool<Request, Reply> {
  /** Starts this many before they are needed. @throws WorkerDied if one does not get ready */
  start(count?: number): Promise<void>
  /**
   * Asks the worker that has least to do.
   *
   * @throws the signal's reason as soon as it is aborted: the worker goes on, for it is not at fault; as
   *   `WorkerHandle.request` does; PoolClosed
   */
  run(
    request: Request,
    options?: RequestOptions & { readonly signal?: AbortSignal },
  ): Promise<Reply>
  close(): Promise<void>
}

/** Starts nothing yet. */
export function createPool<Request, Reply>(
  options: PoolOptions<Request, Reply>,
): Pool<Request, Reply> {
  const { name, count, each, drainMs } = options
  const places = Array.from({ length: count }, () => ({
    active: 0,
    worker: undefined as WorkerHandle<Request, Reply> | undefined,
  }))
  const inTurn = pLimit(count * each)
  const running = new Set<WorkerHandle<Request, Reply>>()
  let isClosed = false

  const workerAt = (place: (typeof places)[number]): WorkerHandle<Request, Reply> => {
    // Whoever was given up may still ask; a worker started for it would keep the program alive.
    if (isClosed) throw new PoolClosed(`${name} is closed`)
    if (place.worker?.isAlive !== true) {
      if (place.worker !== undefined) running.delete(place.worker)
      place.worker = options.start()
      running.add(place.worker)
    }
    return place.worker
  }
  const ask = async (request: Request, requestOptions: RequestOptions): Promise<Reply> => {
    const place = places.reduce((best, next) => (next.active < best.active ? next : best))
    place.active++
    try {
      return await workerAt(place).request(request, requestOptions)
    } catch (error) {
      if (isClosed) throw new PoolClosed(`${name} is closed`, { cause: error })
      throw error
    } finally {
      place.active--
    }
  }
  return {
    start: async (wanted = 1) => {
      await Promise.all(places.slice(0, wanted).map((place) => workerAt(place).ready))
    },
    run: (request, { signal, ...requestOptions } = {}) => {
      const answered = inTurn(() => {
        signal?.throwIfAborted()
        return ask(request, requestOptions)
      })
      return signal === undefined ? answered : untilAborted(answered, signal)
    },
    close: async () => {
      isClosed = true
      const end = (worker: WorkerHandle<Request, Reply>) =>
        drainMs === undefined ? worker.kill() : worker.close(drainMs)
      await Promise.all([...running].map(end))
    },
  }
}
