import { describe, expect, it, vi } from 'vitest'
import { matchesPath, normalisePath } from '../../../src/ingest/fetch/path-pattern.ts'

describe('matchesPath', () => {
  it.each([
    ['/', '/x', true],
    ['/a', '/a', true],
    ['/a', '/ab', true],
    ['/a', '/b', false],
    ['/a$', '/a', true],
    ['/a$', '/ab', false],
    ['/*.jpg', '/x/y.jpg?z', true],
    ['/*.jpg$', '/x/y.jpg?z', false],
    ['/*.jpg$', '/x.jpg.jpg', true],
    ['*', '/x', true],
    ['/a*b*c', '/a1b2c3', true],
    ['/a*b*c', '/acb', false],
    ['/aa*aa$', '/aaa', false],
    ['/aa*aa$', '/aaaa', true],
    ['/*a$', '/', false],
  ])('%s on %s: %s', (pattern, path, expected) => {
    expect(matchesPath(pattern, path)).toBe(expected)
  })
  it('is linear in patterns made to be slow', () => {
    const search = vi.spyOn(String.prototype, 'indexOf')
    let result: boolean
    let searches: number
    try {
      result = matchesPath(`/${'*a'.repeat(5000)}$`, `/${'a'.repeat(4999)}`)
      searches = search.mock.calls.length
    } finally {
      search.mockRestore()
    }

    expect(result).toBe(false)
    expect(searches).toBeLessThanOrEqual(5000)
  })
  it('compares different spellings of one path', () => {
    expect(normalisePath('/%7ejoe/é%c3%a9%2f')).toBe('/~joe/%C3%A9%C3%A9%2F')
  })
})
