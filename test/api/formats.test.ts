import { describe, expect, it } from 'vitest'
import { formatNamed } from '../../src/api/formats.ts'

const FORMATS = [
  { name: 'plain', dialects: [] },
  { name: 'spoken', dialects: ['north', 'south'] },
]

describe('formatNamed', () => {
  it('finds a format with a dialect that it has', () => {
    expect(formatNamed({ format: 'plain' }, FORMATS)).toBe(FORMATS[0])
    expect(formatNamed({ format: 'spoken', dialect: 'south' }, FORMATS)).toBe(FORMATS[1])
  })
  it.each([
    [{ format: 'odd' }, 'format odd is unknown; there are plain, spoken'],
    [{ format: 'plain', dialect: 'north' }, 'dialect north is unknown; plain has no dialects'],
    [{ format: 'spoken', dialect: 'west' }, 'dialect west is unknown; spoken has north, south'],
  ])('of %o says what there is', (request, message) => {
    expect(() => formatNamed(request, FORMATS)).toThrow(message)
  })
})
