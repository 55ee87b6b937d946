import { describe, expect, it } from 'vitest'
import { textsOf } from '../helpers/phrases.ts'

describe('expand: grit', () => {
  it.each([
    ['A dog in a field of flowers', ['A dog in a field of flowers']],
    ['A man and a woman in a park', ['A man', 'a woman', 'a park']],
    ['A woman wearing a red hat is smiling', ['A woman wearing a red hat']],
    ['A man who is riding a horse walks', ['A man who is riding a horse']],
    ['A house painted white by a lake', ['A house painted white by a lake']],
    ['A dog runs on a beach', ['A dog', 'a beach']],
    ['The man walked down the road', ['The man', 'the road']],
    ['A cat in a box and a dog', ['A cat in a box', 'a dog']],
    ['A cat on', ['A cat']],
    ['A cat, a dog and a cow', ['A cat', 'a dog', 'a cow']],
  ])('%j', (caption, expected) => {
    expect(textsOf(caption, { expand: 'grit', of: 'split' })).toEqual(expected)
  })

  it('is off by default', () => {
    expect(textsOf('A dog in a field')).toEqual(['A dog', 'a field'])
  })
})
