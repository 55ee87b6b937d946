import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanDetail, messageOf, SampleError } from '../../src/core/errors.ts'

describe('cleanDetail', () => {
  it('is short, printable and well-formed for any text, and changes nothing more', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const clean = cleanDetail(text)

        expect(clean.length).toBeLessThanOrEqual(200)
        expect(clean).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029]/u)
        expect(cleanDetail(clean)).toBe(clean)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps what needs no cleaning', () => {
    expect(cleanDetail('31250x4 px; the smallest side must be 32 px')).toBe(
      '31250x4 px; the smallest side must be 32 px',
    )
    expect(cleanDetail('a\0b\n\tc')).toBe('a b c')
  })

  it('does not cut an emoji in half', () => {
    const cut = cleanDetail('x'.repeat(198) + '🐕🐕')

    expect(cut).toBe('x'.repeat(198) + '…')
  })
})

describe('SampleError', () => {
  it('has a code, a clean message and what is known beside', () => {
    const cause = new Error('inner')
    const error = new SampleError('http_4xx', 'HTTP\n404', { httpStatus: 404, host: 'a', cause })

    expect(error).toMatchObject({ code: 'http_4xx', message: 'HTTP 404', cause })
    expect(error.context).toMatchObject({ httpStatus: 404, host: 'a' })
  })
})

describe('messageOf', () => {
  it('finds a message in whatever was thrown', () => {
    expect([new TypeError('a'), 'b', 7, null, undefined].map(messageOf)).toEqual([
      'a',
      'b',
      '7',
      'null',
      'undefined',
    ])
  })
})
