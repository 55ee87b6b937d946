import { describe, expect, it } from 'vitest'
import { backoff, parseRetryAfter } from '../../../src/ingest/fetch/retry-after.ts'

describe('parseRetryAfter', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  it.each([
    ['5', 5000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s: %s ms', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected)
  })
  it('survives a number with a thousand digits', () => {
    expect(parseRetryAfter('9'.repeat(1000), now)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('backoff', () => {
  it('doubles up to the cap, with full jitter', () => {
    const limits = { retryBaseMs: 1000, retryCapMs: 30_000 }
    expect(
      [0, 1, 2, 10].map((attempt) => backoff(attempt, { ...limits, random: () => 1 })),
    ).toEqual([1000, 2000, 4000, 30_000])
    expect(backoff(3, { ...limits, random: () => 0 })).toBe(0)
  })
})
