import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { drain } from '../../src/run/drain.ts'

const REASON = new Error('asked to stop')

describe('drain', () => {
  it('lets work end that ends soon', async () => {
    const stop = new AbortController()
    const work = drain(stop.signal, 2, 10_000)
    await sleep(5)
    work.advance()

    stop.abort(REASON)
    await sleep(20)

    expect(work.signal.aborted).toBe(false)
    work.end()
  })

  it('stops work at once whose end is far away, or that has not begun', async () => {
    const stop = new AbortController()
    const [far, unbegun] = [drain(stop.signal, 1e9, 1000), drain(stop.signal, 5, 1000)]
    await sleep(5)
    far.advance()

    stop.abort(REASON)

    expect(far.signal.reason).toBe(REASON)
    expect(unbegun.signal.reason).toBe(REASON)
    expect(drain(stop.signal, 5, 1000).signal.reason).toBe(REASON)
  })

  it('stops work that does not keep its pace', async () => {
    const stop = new AbortController()
    const work = drain(stop.signal, 2, 200)
    await sleep(1)
    work.advance()

    stop.abort(REASON)
    await new Promise((resolve) => work.signal.addEventListener('abort', resolve))

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
