import { describe, expect, it } from 'vitest'
import { glipNltk } from '../../src/nlp/glip-nltk.ts'
import { wordsOf } from '../helpers/words.ts'

const found = (caption: string) =>
  glipNltk(wordsOf(caption)).map(({ start, end }) => caption.slice(start, end))

describe('glipNltk', () => {
  it.each([
    ['the', []],
    ['is very red', []],
    ['the very red car', ['red car']],
    ['his old car', ['old car']],
    ['both old cars', ['both old cars']],
    ['two cars', ['cars']],
    ['a man’s hat', ['a man', 'hat']],
    ['a tennis ball, a racket', ['a tennis ball', 'a racket']],
    ['red, car', ['car']],
  ])('%j', (caption, expected) => {
    expect(found(caption)).toEqual(expected)
  })

  it('has the last noun for a head', () => {
    const words = wordsOf('a tennis ball')

    expect(glipNltk(words)).toEqual([{ start: 0, end: 13, first: 0, last: 2, head: 2 }])
  })
})
