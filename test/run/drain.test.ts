import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { drain } from '../../src/run/drain.ts'

const REASON = new Error('asked to stop')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('drain', () => {
  it('lets work end that ends soon', () => {
    const stop = new AbortController()
    const work = drain(stop.signal, 2, 10_000)
    vi.advanceTimersByTime(5)
    work.advance()

    stop.abort(REASON)
    vi.advanceTimersByTime(20)

    expect(work.signal.aborted).toBe(false)
    work.end()
  })

  it('stops work at once whose end is far away, or that has not begun', () => {
    const stop = new AbortController()
    const [far, unbegun] = [drain(stop.signal, 1e9, 1000), drain(stop.signal, 5, 1000)]
    vi.advanceTimersByTime(5)
    far.advance()

    stop.abort(REASON)

    expect(far.signal.reason).toBe(REASON)
    expect(unbegun.signal.reason).toBe(REASON)
    expect(drain(stop.signal, 5, 1000).signal.reason).toBe(REASON)
  })

  it('stops work that does not keep its pace', () => {
    const stop = new AbortController()
    const work = drain(stop.signal, 2, 200)
    vi.advanceTimersByTime(1)
    work.advance()

    stop.abort(REASON)
    vi.advanceTimersByTime(199)
    const before = work.signal.aborted
    vi.advanceTimersByTime(1)

    expect(before).toBe(false)
    expect(work.signal.reason).toBe(REASON)
    work.end()
  })

  it('forgets the request when the work has ended', () => {
    const stop = new AbortController()
    const work = drain(stop.signal, 2, 1000)

    work.end()
    stop.abort(REASON)

    expect(work.signal.aborted).toBe(false)
  })
})
