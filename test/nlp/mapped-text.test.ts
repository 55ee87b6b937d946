import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MappedText } from '../../src/nlp/mapped-text.ts'

describe('MappedText', () => {
  it('maps spans through replacements of other lengths', () => {
    const text = new MappedText('Tom&#39;s bike').replace(/&#39;/g, "'")

    expect(text.text).toBe("Tom's bike")
    expect(text.toSource({ start: 0, end: 5 })).toEqual({ start: 0, end: 9 })
    expect(text.toSource({ start: 6, end: 10 })).toEqual({ start: 10, end: 14 })
    expect(text.fromSource({ start: 10, end: 14 })).toEqual({ start: 6, end: 10 })
  })

  it('has nothing for a span that was removed', () => {
    const text = new MappedText('a dog #dog').replace(/ #dog/g, '')

    expect(text.fromSource({ start: 6, end: 10 })).toBeUndefined()
    expect(text.fromSource({ start: 2, end: 10 })).toEqual({ start: 2, end: 5 })
  })

  it('keeps what is not replaced where it was, whatever is replaced', () => {
    const part = fc.constantFrom('ab', 'x', ' ', '&amp;', '😀', 'é')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        const source = parts.join('')
        const text = new MappedText(source)
          .replace(/&amp;/g, '&')
          .replace(/x/g, '')
          .replace(/ /g, '__')
        for (let at = 0; at < text.text.length; at++) {
          const from = text.toSource({ start: at, end: at + 1 })
          const original = source.slice(from.start, from.end)
          const expected = { '&': '&amp;', _: ' ' }[text.text[at]!] ?? text.text[at]
          expect(original).toBe(expected)
        }
      }),
    )
  })
})
