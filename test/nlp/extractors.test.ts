import { describe, expect, it } from 'vitest'
import { finderOf, textsOf } from '../helpers/phrases.ts'

describe('glip-nltk: DT? JJ* NN+', () => {
  const glip = (caption: string) => textsOf(caption, { extractor: 'glip-nltk' })

  it.each([
    ['A red car, two dogs and the big old house', ['A red car', 'dogs', 'the big old house']],
    ["a man's hat on his head", ['a man', 'hat', 'head']],
    ['A barking dog near a broken fence', ['dog', 'fence']],
    ['a black and white dog', ['white dog']],
    ['A group of people', ['A group', 'people']],
    ['a car on a carpet', ['a car', 'a carpet']],
  ])('%j', (caption, expected) => {
    expect(glip(caption)).toEqual(expected)
  })
})

describe('ngrams (OWL-ST)', () => {
  const ngrams = (caption: string, options: object = {}, rest: object = {}) =>
    textsOf(caption, { extractor: 'ngrams', ngrams: options, ...rest })

  it('asks for every run of words that is not of stop words alone', () => {
    expect(ngrams('a dog on the sofa', { max: 3 })).toEqual([
      'a dog',
      'a dog on',
      'dog',
      'dog on',
      'dog on the',
      'on the sofa',
      'the sofa',
      'sofa',
    ])
  })

  it('keeps runs of stop words on request, and takes lengths from the config', () => {
    expect(ngrams('on the sofa', { min: 2, max: 2, stopwordsOnly: 'keep' })).toEqual([
      'on the',
      'the sofa',
    ])
  })

  it('has no run over a generic word', () => {
    expect(ngrams('dog photo sofa', {}, { genericWords: 'drop' })).toEqual(['dog', 'sofa'])
  })

  it('keeps the shortest where there are too many, and asks once for a text', () => {
    expect(ngrams('red dog red dog', { maxQueries: 3 })).toEqual(['red', 'red dog', 'dog'])
  })

  it('reaches ten words and 300 queries by default', () => {
    const caption = Array.from({ length: 60 }, (_, index) => `cat${index}`).join(' ')
    const found = ngrams(caption, {}, { maxPhrases: 1000 }) as readonly string[]

    expect(found).toHaveLength(300)
    const longest = ngrams(caption, { maxQueries: 1000 }, { maxPhrases: 1000 }) as readonly string[]
    expect(Math.max(...longest.map((text) => text.split(' ').length))).toBe(10)
  })
})

describe('supplied', () => {
  const find = finderOf({ extractor: 'supplied' })

  it('takes the spans of the dataset, sorted, mapped through cleaning', () => {
    const caption = 'Stock photo of a red &amp; blue ball by a cat'
    const spans = ['a cat', 'a red &amp; blue ball'].map((text) => {
      const start = caption.indexOf(text)
      return { start, end: start + text.length }
    })

    const result = find({ caption, supplied: spans })

    expect(result).toMatchObject({
      caption: 'a red & blue ball by a cat',
      phrases: [
        { text: 'a red & blue ball', head: 'ball', lemma: 'ball' },
        { text: 'a cat', lemma: 'cat' },
      ],
      sourceSpans: [spans[1], spans[0]],
    })
  })

  it('refuses a span outside the caption, and says when there are none', () => {
    expect(find({ caption: 'a cat', supplied: [{ start: 0, end: 9 }] })).toEqual({
      code: 'phrases_invalid',
      detail: 'phrase 0 is [0, 9) of a caption with 5 UTF-16 units',
    })
    expect(find({ caption: 'a cat' })).toEqual({
      code: 'phrases_none',
      detail: 'the dataset gives none for it',
    })
  })
})

describe('a union', () => {
  it('keeps the phrases of the first and adds what does not overlap them', () => {
    const find = finderOf({ extractor: ['supplied', 'chunker'] })

    const result = find({
      caption: 'A red car near two dogs',
      supplied: [{ start: 2, end: 9 }],
    })

    expect('code' in result ? result.code : result.phrases.map(({ text }) => text)).toEqual([
      'red car',
      'two dogs',
    ])
  })
})
