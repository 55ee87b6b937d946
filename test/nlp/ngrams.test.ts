import { describe, expect, it } from 'vitest'
import { headOf, ngrams } from '../../src/nlp/ngrams.ts'
import { phraseOptionsSchema } from '../../src/nlp/options.ts'
import { wordsOf } from '../helpers/words.ts'

describe('ngrams', () => {
  it('gives each run of words with its place', () => {
    const options = phraseOptionsSchema.parse({ ngrams: { max: 2, stopwordsOnly: 'keep' } })

    expect(ngrams(wordsOf('a red dog'), options)).toEqual([
      { start: 0, end: 1, first: 0, last: 0, head: 0 },
      { start: 0, end: 5, first: 0, last: 1, head: 1 },
      { start: 2, end: 5, first: 1, last: 1, head: 1 },
      { start: 2, end: 9, first: 1, last: 2, head: 2 },
      { start: 6, end: 9, first: 2, last: 2, head: 2 },
    ])
  })

  it('gives none of captions without words', () => {
    expect(ngrams([], phraseOptionsSchema.parse({}))).toEqual([])
  })
})

describe('headOf', () => {
  it.each([
    ['a red dog', 'dog'],
    ['a dog on a sofa', 'dog'],
    ['a coffee cup', 'cup'],
    ['a dog running home', 'dog'],
    ['very red', 'red'],
  ])('%j: %s', (caption, expected) => {
    const words = wordsOf(caption)

    expect(words[headOf(words, { first: 0, last: words.length - 1 })]!.text).toBe(expected)
  })
})
