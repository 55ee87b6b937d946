import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DigestCounter } from '../../src/filter/digest-counter.ts'

describe('DigestCounter', () => {
  it('counts each text by itself', () => {
    const counter = new DigestCounter()

    expect(['a', 'b', 'a', 'a', ''].map((text) => counter.add(text))).toEqual([1, 1, 2, 3, 1])
    expect(['a', 'b', '', 'c'].map((text) => counter.count(text))).toEqual([3, 1, 1, 0])
  })

  it('knows every text again when it has grown', () => {
    const counter = new DigestCounter(4)
    const texts = Array.from({ length: 5000 }, (_, index) => `text ${index}`)
    for (const text of texts) counter.add(text)

    expect(texts.every((text) => counter.count(text) === 1)).toBe(true)
    expect(counter.count('text 5000')).toBe(0)
    expect(counter.add('text 4999')).toBe(2)
  })

  it('counts as a Map does', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 2 })), (texts) => {
        const counter = new DigestCounter(2)
        const counts = new Map<string, number>()
        for (const text of texts) {
          counts.set(text, (counts.get(text) ?? 0) + 1)
          expect(counter.add(text)).toBe(counts.get(text))
        }
        for (const [text, count] of counts) expect(counter.count(text)).toBe(count)
      }),
    )
  })
})
