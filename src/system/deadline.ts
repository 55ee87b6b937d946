// How long to wait. A timer and a controller of our own, because `AbortSignal.any` holds the signals that it
// joins weakly: a garbage collection drops a time-out that nothing else holds, and it never fires (Node 20).

import { setMaxListeners } from 'node:events'

/** The time was over. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  /** What there was. */
  readonly ms: number

  constructor(ms: number) {
    super(`not done in ${ms} ms`)
    this.ms = ms
  }
}

/** A time limit that runs. */
export interface Deadline {
  /** Aborted with a DeadlineError after the time, or with the parent's reason. Any number may listen to it. */
  readonly signal: AbortSignal
  /** To be called in any case: stops the timer and leaves the parent. */
  readonly end: () => void
}

/** @param parent ends it early */
export function startDeadline(ms: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal) // one per image in flight, say
  const timer = setTimeout(() => controller.abort(new DeadlineError(ms)), ms)
  const onAbort = (): void => {
    clearTimeout(timer)
    controller.abort(parent?.reason)
  }
  if (parent?.aborted === true) onAbort()
  else parent?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer)
      parent?.removeEventListener('abort', onAbort)
    },
  }
}

/**
 * Ends after the time or when the parent is aborted, whether or not the work listens to its signal.
 *
 * @throws DeadlineError; the parent's reason; what the work throws
 */
export async function withDeadline<T>(
  ms: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent?.throwIfAborted()
  const { signal, end } = startDeadline(ms, parent)
  try {
    return await untilAborted(work(signal), signal)
  } finally {
    end()
  }
}

/** What the promise gives, or the signal's reason as soon as it is aborted; the work itself goes on. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Waits for a turn.
 *
 * @param join queues the function that ends the wait, and returns how to leave the queue
 * @throws the signal's reason when it is aborted, having left the queue
 */
export async function untilCalled<T>(
  signal: AbortSignal,
  join: (call: (value: T) => void) => () => void,
): Promise<T> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      leave()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const leave = join((value) => {
      signal.removeEventListener('abort', onAbort)
      resolve(value)
    })
  })
}
