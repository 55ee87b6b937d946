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

  it('is as far as a third of a long word, and the first of those as near', () => {
    expect(nearest('minBytesPerSec', ['minBytesPerSecond', 'headersTimeoutMs'])).toBe(
      'minBytesPerSecond',
    )
    expect(nearest('cat', ['bat', 'Hat', 'cats'])).toBe('bat')
  })

  it('is nothing where nothing is known', () => {
    expect(nearest('limit', [])).toBeUndefined()
  })
})
