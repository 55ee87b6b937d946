import { describe, expect, it } from 'vitest'
import { chunk } from '../../src/nlp/chunk.ts'
import { splitKeywords } from '../../src/nlp/keywords.ts'
import { textOf, wordsOf } from '../helpers/words.ts'

function piecesOf(caption: string): string[] {
  const words = wordsOf(caption)
  return splitKeywords(words, chunk(words)).map((one) => textOf(words, one))
}

describe('splitKeywords', () => {
  it.each([
    ['sofa lamp armchair', ['sofa lamp armchair']],
    ['sofa lamp armchair cushion', ['sofa', 'lamp', 'armchair', 'cushion']],
    ['red sofa lamp wooden armchair', ['red sofa', 'lamp', 'wooden armchair']],
    // With a determiner, or in a sentence, it is one thing up to six words.
    ['a sofa lamp armchair cushion', ['a sofa lamp armchair cushion']],
    ['near sofa lamp armchair cushion', ['sofa lamp armchair cushion']],
    // A modifier of the noun after it ends nothing.
    ['kitchen sofa garden armchair', ['kitchen sofa', 'garden armchair']],
  ])('%j', (caption, expected) => {
    expect(piecesOf(caption)).toEqual(expected)
  })

  it('loses no noun', () => {
    const words = wordsOf('sofa lamp armchair cushion kitchen curtain')
    const pieces = splitKeywords(words, chunk(words))

    expect(pieces.at(0)?.first).toBe(0)
    expect(pieces.at(-1)?.last).toBe(words.length - 1)
    for (const [index, { first }] of pieces.slice(1).entries()) {
      expect(first).toBe(pieces[index]!.last + 1)
    }
  })
})
