import { describe, expect, it } from 'vitest'
import { createWeightedGate } from '../../src/system/weighted-gate.ts'

const { signal } = new AbortController()

describe('createWeightedGate', () => {
  it('bounds count and weight, and lets an oversized caller in alone', async () => {
    const gate = createWeightedGate(2, 10)
    const first = await gate.acquire(4, signal)
    const second = await gate.acquire(6, signal)
    const order: string[] = []
    const huge = gate.acquire(99, signal).then((release) => {
      order.push('huge')
      return release
    })
    const small = gate.acquire(1, signal).then((release) => {
      order.push('small')
      return release
    })

    first()
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual([])
    second()
    const releaseHuge = await huge
    expect(order).toEqual(['huge'])
    releaseHuge()
    ;(await small)()
    expect(order).toEqual(['huge', 'small'])
  })
  it('forgets a caller that gives up', async () => {
    const gate = createWeightedGate(1, 10)
    const release = await gate.acquire(1, signal)
    const controller = new AbortController()
    const waiting = gate.acquire(1, controller.signal)

    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    release()

    ;(await gate.acquire(1, signal))()
    await expect(gate.acquire(1, controller.signal)).rejects.toThrow('enough')
  })
})
