import { describe, expect, it } from 'vitest'
import { bitCount, dhashDistance } from '../../src/core/dhash-distance.ts'

describe('dhashDistance', () => {
  it('counts differing bits', () => {
    expect(dhashDistance('0000000000000000', 'ffffffffffffffff')).toBe(64)
    expect(dhashDistance('8000000000000001', '0000000000000000')).toBe(2)
    expect(dhashDistance('0123456789abcdef', '0123456789abcdef')).toBe(0)
  })
})

describe('bitCount', () => {
  it.each([
    [0, 0],
    [1, 1],
    [0x80000000, 1],
    [-1, 32],
    [0x0f0f0f0f, 16],
    [0xdeadbeef | 0, 24],
  ])('of %i is %i', (word, bits) => {
    expect(bitCount(word)).toBe(bits)
  })
})
