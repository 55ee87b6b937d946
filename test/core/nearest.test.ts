import { describe, expect, it } from 'vitest'
import { nearest } from '../../src/core/nearest.ts'

describe('nearest', () => {
  it.each([
    ['batchsize', 'batchSize'],
    ['bachSize', 'batchSize'],
    ['limits', 'limit'],
    ['quite-another', undefined],
  ])('of %s is %s', (word, near) => {
    expect(nearest(word, ['batchSize', 'limit', 'threads'])).toBe(near)
  })
})
