import { describe, expect, it } from 'vitest'
import { RULES } from '../../src/nlp/tag-rules.ts'
import { createTagger } from '../../src/nlp/tag.ts'
import { tokenize } from '../../src/nlp/tokenize.ts'
import { lexicon, tagsOf, wordsOf } from '../helpers/words.ts'

describe('createTagger', () => {
  it.each([
    ['A brown dog runs on the grass', 'DJNVIDN'],
    ['Two men are sitting next to her', '#NAGIIO'],
    ['a dog in front of a house', 'DNIIIDN'],
    ['', ''],
  ])('%j: %s', (caption, expected) => {
    expect(tagsOf(caption)).toBe(expected)
  })

  it.each([
    ['a flag of the US', 'P'],
    ['a map of US states', 'P'],
    ['he shows us a map', 'O'],
    ['HE SHOWS US A MAP', 'O'],
  ])('of "us" in %j: %s', (caption, tag) => {
    expect(wordsOf(caption).find(({ lower }) => lower === 'us')?.tag).toBe(tag)
  })

  it('takes abbreviations for things, not for names', () => {
    expect(wordsOf('a man beside a TV at home').find(({ text }) => text === 'TV')?.tag).toBe('N')
  })

  it('says which rule decided, and leaves words to the lexicon without one', () => {
    const without = createTagger(lexicon, new Set(RULES.map(({ name }) => name)))
    const rules = new Set(
      without.tag(tokenize('Male nurse in a room runs')).map(({ rule }) => rule),
    )

    expect(wordsOf('Male nurse in a room')[0]).toMatchObject({
      tag: 'J',
      rule: 'noun-as-adjective',
    })
    expect([...rules]).toEqual(['lexicon'])
  })

  it('changes no token', () => {
    const tokens = tokenize('A brown dog runs')
    const copy = structuredClone(tokens)

    createTagger(lexicon).tag(tokens)

    expect(tokens).toEqual(copy)
  })
})
