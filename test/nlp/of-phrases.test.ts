import { describe, expect, it } from 'vitest'
import { chunk } from '../../src/nlp/chunk.ts'
import { nounPhrases } from '../../src/nlp/noun-phrases.ts'
import { mergeOf } from '../../src/nlp/of-phrases.ts'
import { textOf, wordsOf } from '../helpers/words.ts'

function merged(caption: string, mode: 'merge' | 'split' = 'merge') {
  const words = wordsOf(caption)
  const phrases = mode === 'split' ? nounPhrases(words, mode) : mergeOf(words, chunk(words))
  return phrases.map((one) => [textOf(words, one), words[one.head]!.text])
}

describe('mergeOf', () => {
  it('joins groups, parts and containers; what they hold is the head', () => {
    expect(merged('a group of people')).toEqual([['a group of people', 'people']])
    expect(merged('two slices of pizza')).toEqual([['two slices of pizza', 'pizza']])
    expect(merged('a stack of boxes of shoes')).toEqual([['a stack of boxes of shoes', 'shoes']])
  })

  it('leaves what else stands before "of"', () => {
    expect(merged('the tail of a cat')).toEqual([
      ['the tail', 'tail'],
      ['a cat', 'cat'],
    ])
    expect(merged('a group near people')).toHaveLength(2)
    expect(merged('a group, of people')).toHaveLength(2)
  })

  it('joins nothing on request', () => {
    expect(merged('a group of people', 'split')).toEqual([
      ['a group', 'group'],
      ['people', 'people'],
    ])
  })
})
