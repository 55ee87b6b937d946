// Attempts at one URL: what may pass is tried again after a pause, the server's own if it asked for one.

import { SampleError } from '../../core/errors.ts'
import { retryOf } from '../../core/reasons.ts'
import type { Circuits } from './circuit.ts'
import type { HostScheduler } from './host-scheduler.ts'
import type { FetchOptions } from './options.ts'
import { backoff, parseRetryAfter } from './retry-after.ts'
import type { Head } from './transport.ts'

/** An answer without what was asked for, and when the server wants to be asked again. */
export class StatusFailure extends Error {
  readonly error: SampleError
  readonly retryAfterMs: number | undefined

  /** @param now milliseconds since 1970, for a Retry-After that is a date */
  constructor(head: Head, now: number) {
    const error = statusError(head)
    super(error.message)
    this.error = error
    this.retryAfterMs = parseRetryAfter(head.headers['retry-after'], now)
  }
}

/** What a status without an image is to a row. */
export function statusError({ status, headers, url }: Head): SampleError {
  const context = { host: url.hostname, httpStatus: status }
  const detail = `HTTP ${status}`
  if (status === 408) return new SampleError('http_408', detail, context)
  if (status === 425) return new SampleError('http_425', detail, context)
  if (status === 429) return new SampleError('http_429', detail, context)
  if (status >= 400 && status < 500) return new SampleError('http_4xx', detail, context)
  if (status >= 500 && status < 600) return new SampleError('http_5xx', detail, context)
  if (status === 204) return new SampleError('body_empty', detail, context)
  const missing = status >= 300 && status < 400 && headers['location'] === undefined
  return new SampleError('http_invalid', missing ? `${detail} without location` : detail, context)
}

/** What a pause is made of. */
export interface RetryDeps {
  readonly circuits: Pick<Circuits, 'park'>
  readonly scheduler: Pick<HostScheduler, 'pause'>
  /** Whose limits a host shares. */
  readonly groupOf: (host: string) => string
  readonly now: () => number
  readonly random: (() => number) | undefined
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Tries a URL until it is had or must not be tried again. */
export type WithRetries = <T>(
  attempt: () => Promise<T>,
  of: { readonly url: URL; readonly signal: AbortSignal },
) => Promise<T & { readonly attempts: number }>

/**
 * A server's pause holds for its whole group; one beyond `maxRetryAfterMs` parks the host instead.
 *
 * @returns throws the last SampleError with the number of attempts; whatever else an attempt throws, at once
 */
export function createRetries(
  options: Pick<FetchOptions, 'retries' | 'maxRetryAfterMs' | 'retryBaseMs' | 'retryCapMs'>,
  { circuits, scheduler, groupOf, now, random, sleep }: RetryDeps,
): WithRetries {
  /** Milliseconds to the next attempt; undefined if there is none. */
  const pauseAfter = (
    { code, context: { host } }: SampleError,
    { retryAfterMs, attempts }: { retryAfterMs: number | undefined; attempts: number },
  ): number | undefined => {
    if (retryAfterMs !== undefined && host !== undefined) {
      if (retryAfterMs > options.maxRetryAfterMs) {
        circuits.park(host, retryAfterMs)
        return undefined
      }
      scheduler.pause(groupOf(host), now() + retryAfterMs)
    }
    const mayPass = retryOf(code) === 'now' || code === 'http_429'
    if (attempts > options.retries || !mayPass) return undefined
    return retryAfterMs ?? backoff(attempts - 1, { ...options, random })
  }
  return async (attempt, { url, signal }) => {
    for (let attempts = 1; ; attempts++) {
      try {
        return { ...(await attempt()), attempts }
      } catch (thrown) {
        const { error, retryAfterMs } =
          thrown instanceof StatusFailure ? thrown : { error: thrown, retryAfterMs: undefined }
        if (!(error instanceof SampleError)) throw error
        const pauseMs = pauseAfter(error, { retryAfterMs, attempts })
        if (pauseMs === undefined) {
          const context = { host: url.hostname, ...error.context, attempts }
          throw new SampleError(error.code, error.message, context)
        }
        await sleep(pauseMs, signal)
      }
    }
  }
}
