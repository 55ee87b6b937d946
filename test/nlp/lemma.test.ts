import { describe, expect, it } from 'vitest'
import { singular } from '../../src/nlp/lemma.ts'

describe('singular', () => {
  it.each([
    ['dogs', 'dog'],
    ['Boxes', 'box'],
    ['cherries', 'cherry'],
    ['women', 'woman'],
    ['policemen', 'policeman'],
    ['grandchildren', 'grandchild'],
    ['people', 'person'],
    ['knives', 'knife'],
    ['shoes', 'shoe'],
    ['vases', 'vase'],
    ['horses', 'horse'],
    ['brushes', 'brush'],
    ['glasses', 'glasses'],
    ['dress', 'dress'],
    ['bus', 'bus'],
    ['buses', 'bus'],
    ['jeans', 'jeans'],
    ["man's", 'man'],
    ['abdomen', 'abdomen'],
  ])('%s -> %s', (noun, expected) => {
    expect(singular(noun)).toBe(expected)
  })
})
