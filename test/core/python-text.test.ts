import { describe, expect, it } from 'vitest'
import { GROWS_IN_LOWER_CASE, leadingSpace, pythonStrip } from '../../src/core/python-text.ts'

/** Python 3.11: [c for c in range(0x110000) if chr(c).strip() == ''] */
const SPACES = [
  0x9, 0xa, 0xb, 0xc, 0xd, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002,
  0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
  0x3000,
]
const EVERY_CODE_POINT = Array.from({ length: 0x110000 }, (_, codePoint) => codePoint)

describe('pythonStrip', () => {
  it('takes what str.strip() takes for space, and nothing else', () => {
    const taken = EVERY_CODE_POINT.filter((at) => pythonStrip(String.fromCodePoint(at)) === '')

    expect(taken).toEqual(SPACES)
  })

  it.each([
    ['  a dog \n', 'a dog'],
    ['\u3000\x1fa\u00a0dog\x85', 'a\u00a0dog'],
    ['\ufeffa', '\ufeffa'],
    [' \t ', ''],
    ['', ''],
  ])('makes %j %j', (text, stripped) => {
    expect(pythonStrip(text)).toBe(stripped)
  })
})

describe('leadingSpace', () => {
  it('counts UTF-16 units before the text, and all of nothing but space', () => {
    expect([' \u2028a ', '🐕 ', '', ' \t'].map(leadingSpace)).toEqual([2, 0, 0, 2])
  })
})

describe('GROWS_IN_LOWER_CASE', () => {
  it('is the one character that is more than one in lower case', () => {
    const growing = EVERY_CODE_POINT.map((at) => String.fromCodePoint(at)).filter(
      (character) => [...character.toLowerCase()].length > 1,
    )

    expect(growing).toEqual([GROWS_IN_LOWER_CASE])
  })
})
