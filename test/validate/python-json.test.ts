import { describe, expect, it } from 'vitest'
import {
  isNumbers,
  isSpan,
  isTree,
  parsePythonJson,
  sizeOf,
} from '../../src/validate/python-json.ts'

describe('parsePythonJson', () => {
  it('takes what json.loads takes beyond JSON', () => {
    expect(parsePythonJson('[NaN, Infinity, -Infinity, 1]')).toEqual([
      Infinity,
      Infinity,
      -Infinity,
      1,
    ])
  })

  it('leaves such words in strings alone', () => {
    expect(parsePythonJson('{"NaN": ["a \\"NaN\\" b", NaN]}')).toEqual({
      NaN: ['a "NaN" b', Infinity],
    })
  })

  it.each(['', '{', "{'a': 1}", '[1,]', 'nan', 'NaNs'])('refuses %s', (text) => {
    expect(() => parsePythonJson(text)).toThrow(SyntaxError)
  })
})

describe('guards', () => {
  it('tell objects from lists and null', () => {
    expect([{}, [], null, 'a', 1].map(isTree)).toEqual([true, false, false, false, false])
  })

  it('tell lists of so many numbers, and pairs of whole ones', () => {
    expect([[1, NaN], [1], [1, '2'], 'ab'].map((one) => isNumbers(one, 2))).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(
      [
        [0, 3],
        [0, 3.5],
        [0, NaN],
        [0, 1, 2],
      ].map(isSpan),
    ).toEqual([true, false, false, false])
  })

  it('take a size only if both sides are above 0', () => {
    expect(sizeOf({ width: 2, height: 1, depth: 3 })).toEqual({ width: 2, height: 1 })
    expect(sizeOf({ width: 2, height: 0 })).toBeUndefined()
    expect(sizeOf({ width: '2', height: 1 })).toBeUndefined()
    expect(sizeOf({ width: 2 })).toBeUndefined()
  })
})
