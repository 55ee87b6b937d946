import { describe, expect, it } from 'vitest'
import { finderOf, textsOf } from '../helpers/phrases.ts'

describe('abstract heads', () => {
  it('go with `drop`: those that GRIT names, and places in the picture', () => {
    const caption = 'Love and freedom take time; a red car at the front of a light'

    expect(textsOf(caption, { abstract: 'drop' })).toEqual(['a red car', 'a light'])
    expect(textsOf(caption)).toContain('freedom')
  })

  it('say that nothing is left', () => {
    const result = finderOf({ abstract: 'drop' })({ caption: 'the joy of freedom' })

    expect(result).toMatchObject({ code: 'phrases_none', detail: 'none of 2 found is asked for' })
  })
})

describe('generic heads', () => {
  it('are a knob', () => {
    const caption = 'Vector illustration of a hedgehog on a white background'

    expect(textsOf(caption, { genericWords: 'drop' })).toEqual(['a hedgehog'])
    expect(textsOf(caption)).toEqual(['Vector illustration', 'a hedgehog', 'a white background'])
  })
})

describe('attributes', () => {
  const caption = 'Two dogs, a big red ball and a snow covered field'

  it.each([
    ['keep', ['Two dogs', 'a big red ball', 'a snow covered field']],
    ['drop', ['Two dogs']],
    ['strip', ['Two dogs', 'ball', 'field']],
  ])('%s', (attributes, expected) => {
    expect(textsOf(caption, { attributes })).toEqual(expected)
  })
})

describe('duplicates and caps', () => {
  it('keeps the first of equal texts, whatever their case', () => {
    expect(textsOf('A dog and a dog', { duplicates: 'first' })).toEqual(['A dog'])
    expect(textsOf('A dog and a dog')).toEqual(['A dog', 'a dog'])
  })

  it('drops long phrases and what is over the number', () => {
    expect(textsOf('a very big old red car and a cat', { maxWords: 4 })).toEqual(['a cat'])
    expect(textsOf('a car, a cat and a cow', { maxPhrases: 2 })).toEqual(['a car', 'a cat'])
  })
})

describe('attributes: strip', () => {
  it('leaves a phrase that is nothing but an adjective', () => {
    const find = finderOf({ extractor: 'supplied', attributes: 'strip' })

    const result = find({ caption: 'the car is red', supplied: [{ start: 11, end: 14 }] })

    expect(result).toMatchObject({ phrases: [{ start: 11, end: 14, text: 'red' }] })
  })
})

describe('heads', () => {
  it.each([
    ['three small children', 'children', 'child'],
    ['a group of people', 'people', 'person'],
    ['bus number 9', 'number', 'number'],
    ["the man's leather boots", 'boots', 'boot'],
  ])('of %j', (caption, head, lemma) => {
    const result = finderOf()({ caption })

    expect(result).toMatchObject({ phrases: [{ text: caption, head, lemma }] })
  })
})

describe('explain', () => {
  it('tells cleaning, words with their rules, and what was dropped', () => {
    const { explanation } = finderOf({ abstract: 'drop' }).explain({
      caption: 'FILE PHOTO: A smiling man in love',
    })

    expect(explanation.cleaned).toContain('stock-prefix')
    expect(explanation.words).toContainEqual({ text: 'smiling', tag: 'J', rule: 'ing-modifier' })
    expect(explanation.dropped).toEqual([{ text: 'love', cause: 'abstract' }])
  })
})
