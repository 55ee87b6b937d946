import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, quantile } from '../../src/core/quantile.ts'

const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 20 })

describe('quantile', () => {
  it.each([
    [[7], 0.9, 7],
    [[10, 0], 0.25, 2.5],
    [[3, 1, 2], 0, 1],
    [[3, 1, 2], 1, 3],
    [[100, 1, 9, 10], 0.5, 9.5], // by value, not by spelling
  ])('of %j at %d is %d', (of, share, expected) => {
    expect(quantile(of, share)).toBe(expected)
  })

  it('is among the values, grows with the share and leaves them as they were', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(values, share, share, (of, a, b) => {
        const before = [...of]
        const [low, high] = [quantile(of, Math.min(a, b)), quantile(of, Math.max(a, b))]

        expect(low).toBeLessThanOrEqual(high + 1e-9)
        expect(low).toBeGreaterThanOrEqual(Math.min(...of))
        expect(high).toBeLessThanOrEqual(Math.max(...of))
        expect(of).toEqual(before)
      }),
    )
  })

  it('of nothing is no number', () => {
    expect([quantile([], 0.5), median([])]).toEqual([NaN, NaN])
  })
})

describe('median', () => {
  it('has as many values below as above', () => {
    expect([median([5, 1, 3]), median([4, 1, 3, 2])]).toEqual([3, 2.5])
  })
})
