import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codePointIndex, isValidSpan, spansOverlap } from '../../src/core/span.ts'

const text = fc.string({ unit: 'binary', maxLength: 30 })

describe('codePointIndex', () => {
  it.each([
    ['a 🐕 dog', 5, 4],
    ['İstanbul', 2, 2],
    ['e\u0301 a', 3, 3],
    ['漢字 dog', 3, 3],
    ['👩‍👩‍👧 x', 9, 6],
    ['\ud83d x', 2, 2], // half of a pair counts as one, as in Python
  ])('of %j takes UTF-16 %i to code point %i and back', (caption, utf16, codePoint) => {
    const { toCodePoint, toUtf16 } = codePointIndex(caption)

    expect(toCodePoint(utf16)).toBe(codePoint)
    expect(toUtf16(codePoint)).toBe(utf16)
  })

  it('counts as the iterator of strings does, for any text', () => {
    fc.assert(
      fc.property(text, (caption) => {
        const { toCodePoint, toUtf16 } = codePointIndex(caption)
        let at = 0
        for (const [index, point] of [...caption].entries()) {
          expect(toCodePoint(at)).toBe(index)
          expect(toUtf16(index)).toBe(at)
          at += point.length
        }
        expect(toCodePoint(caption.length)).toBe([...caption].length)
        expect(toUtf16([...caption].length)).toBe(caption.length)
      }),
    )
  })
})

describe('isValidSpan', () => {
  it.each([
    [{ start: 0, end: 1 }, true],
    [{ start: 2, end: 4 }, true],
    [{ start: 2, end: 3 }, false], // cuts the dog in half
    [{ start: 3, end: 4 }, false],
    [{ start: 1, end: 1 }, false],
    [{ start: 2, end: 1 }, false],
    [{ start: -1, end: 1 }, false],
    [{ start: 0, end: 5 }, false],
    [{ start: 0.5, end: 1 }, false],
    [{ start: NaN, end: 1 }, false],
  ])('of %j in "a 🐕" is %s', (span, isValid) => {
    expect(isValidSpan(span, 'a 🐕')).toBe(isValid)
  })
})

describe('spansOverlap', () => {
  it('is symmetric, and true where a position is in both', () => {
    const span = fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 6 })).map(([start, length]) => ({
      start,
      end: start + length,
    }))
    fc.assert(
      fc.property(span, span, (a, b) => {
        const both = Array.from({ length: 20 }, (_, at) => at).some(
          (at) => at >= a.start && at < a.end && at >= b.start && at < b.end,
        )
        expect(spansOverlap(a, b)).toBe(both)
        expect(spansOverlap(b, a)).toBe(both)
      }),
    )
  })
})
