import { describe, expect, it } from 'vitest'
import { textsOf } from '../helpers/phrases.ts'

describe('the extractor `chunker`', () => {
  it.each<[string, readonly string[]]>([
    ['A man and a woman', ['A man', 'a woman']],
    ['a cap and jacket', ['a cap', 'jacket']],
    ['A black and white dog', ['A black and white dog']],
    ['a small black, white and brown dog', ['a small black, white and brown dog']],
    ['A train waiting at a station', ['A train', 'a station']],
    ['Two dogs play in the snow', ['Two dogs', 'the snow']],
    ['Horse standing in a field', ['Horse', 'a field']],
    ['A potted plant on a dining table', ['A potted plant', 'a dining table']],
    ['A snow covered field', ['A snow covered field']],
    ['A man in a red shirt wearing a hat', ['A man', 'a red shirt', 'a hat']],
    ["A boy's toy truck near the man's hat", ["A boy's toy truck", "the man's hat"]],
    ['Bus number 9 at a stop', ['Bus number 9', 'a stop']],
    ['the London Eye ferris wheel', ['the London Eye ferris wheel']],
    ['A flat screen TV on a wall', ['A flat screen TV', 'a wall']],
    ['A dog that is running with him', ['A dog']],
    ['a dog in front of a house', ['a dog', 'a house']],
    ['a boy / a girl (left) - a dog', ['a boy', 'a girl', 'a dog']],
    ['She saw a red car today', ['a red car', 'today']],
    ['about 200 people', ['about 200 people']],
    ['a water slide', ['a water slide']],
    ['both play guitars', ['guitars']],
  ])('%j', (caption, expected) => {
    expect(textsOf(caption)).toEqual(expected)
  })

  it.each([
    ['TWO DOGS PLAYING WITH A RED BALL', ['TWO DOGS', 'A RED BALL']],
    ['Woman Walking Her Dog In The Park', ['Woman', 'Her Dog', 'The Park']],
  ])('reads capitals: %j', (caption, expected) => {
    expect(textsOf(caption)).toEqual(expected)
  })
})

describe('"X of Y"', () => {
  it.each([
    ['A group of people on a bench', ['A group of people', 'a bench']],
    ['a glass of red wine', ['a glass of red wine']],
    ['hundreds of birds', ['hundreds of birds']],
    ['the tail of a cat', ['the tail', 'a cat']],
    ['a photo of a herd of cows', ['a photo', 'a herd of cows']],
  ])('merged: %j', (caption, expected) => {
    expect(textsOf(caption)).toEqual(expected)
  })

  it('is two phrases with `split`', () => {
    expect(textsOf('A group of people', { of: 'split' })).toEqual(['A group', 'people'])
  })
})

describe('rows of keywords', () => {
  it.each([
    ['woman yoga mat sunrise beach', ['woman', 'yoga mat', 'sunrise', 'beach']],
    ['cat sleeping blue blanket cute kitten', ['cat', 'blue blanket', 'cute kitten']],
    ['A tall thin bald old man', ['A tall thin bald old man']],
    ['stainless steel water bottle', ['stainless steel water bottle']],
  ])('%j', (caption, expected) => {
    expect(textsOf(caption)).toEqual(expected)
  })
})
