import { describe, expect, it } from 'vitest'
import { MappedText } from '../../src/nlp/mapped-text.ts'
import { cutSpeculation } from '../../src/nlp/speculation.ts'

const cut = (caption: string) => cutSpeculation(new MappedText(caption)).text

describe('cutSpeculation', () => {
  it.each([
    ['A dog on a sofa.', 'A dog on a sofa.'],
    ['A dog on a sofa, possibly asleep.', 'A dog on a sofa.'],
    ['A dog. It might be asleep.', 'A dog.'],
    ['A dog, which appears to be old, on a sofa.', 'A dog, on a sofa.'],
    ['There is no dog; a cat sits there.', ' a cat sits there.'],
    // What is left begins with a preposition: it said something of what was cut.
    ['Perhaps it is a dog, on a sofa.', ''],
    ['A dog; maybe two', 'A dog'],
    ['A notable dog in a knot.', 'A notable dog in a knot.'],
    ['', ''],
  ])('%j', (caption, expected) => {
    expect(cut(caption)).toBe(expected)
  })

  it('keeps the places of what is left, as those of their sentence', () => {
    const text = cutSpeculation(new MappedText('A dog. A cat, maybe old.'))

    expect(text.text).toBe('A dog. A cat.')
    expect(text.toSource({ start: 0, end: 5 })).toEqual({ start: 0, end: 5 })
    expect(text.toSource({ start: 9, end: 12 })).toEqual({ start: 6, end: 24 })
  })
})
