// `Retry-After` of RFC 9110: seconds or an HTTP date.

import type { FetchOptions } from './options.ts'

/**
 * Milliseconds to wait from `now`, at least 0; undefined if the header is absent or neither a
 * number of seconds nor a date.
 */
export function parseRetryAfter(
  header: string | readonly string[] | undefined,
  now: number,
): number | undefined {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER)
  // Date.parse takes far more than HTTP dates ("-5", "1.5"): all of those begin with a day name.
  const at = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** How long pauses become. */
export interface BackoffOptions extends Pick<FetchOptions, 'retryBaseMs' | 'retryCapMs'> {
  readonly random?: (() => number) | undefined
}

/** Full jitter: random in [0, min(cap, base x 2^attempt)] ms; attempt counts from 0. */
export function backoff(attempt: number, options: BackoffOptions): number {
  const { retryBaseMs, retryCapMs, random = Math.random } = options
  return random() * Math.min(retryCapMs, retryBaseMs * 2 ** attempt)
}
