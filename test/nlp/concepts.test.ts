import { describe, expect, it } from 'vitest'
import { conceptOf, countConcepts, summarizeConcepts } from '../../src/nlp/concepts.ts'

const row = (...phrases: (readonly [text: string, lemma: string])[]) => ({
  phrases: phrases.map(([text, lemma]) => ({ text, lemma })),
})

describe('countConcepts', () => {
  it('counts phrases without their determiners, and heads', async () => {
    const counts = await countConcepts([
      row(['The red car', 'car'], ['two dogs', 'dog']),
      row(['a red  car', 'car'], ['a car', 'car']),
    ])

    expect([...counts.phrases]).toEqual([
      ['red car', 2],
      ['two dogs', 1],
      ['car', 1],
    ])
    expect([...counts.heads]).toEqual([
      ['car', 3],
      ['dog', 1],
    ])
  })

  it('keeps a phrase that is only a determiner', () => {
    expect(conceptOf('This')).toBe('this')
    expect(conceptOf('the some one')).toBe('one')
  })
})

describe('summarizeConcepts', () => {
  it('describes the tail', async () => {
    const many = Array.from({ length: 12 }, () => row(['a dog', 'dog']))
    const counts = await countConcepts([
      ...many,
      row(['a cat', 'cat'], ['cats', 'cat'], ['a bee', 'bee']),
    ])

    expect(summarizeConcepts(counts, 1)).toEqual({
      total: 15,
      distinctPhrases: 4,
      distinctHeads: 3,
      singlePhrases: 3,
      singleHeads: 1,
      headsOfHalf: 1,
      headsOfNineTenths: 2,
      topPhrases: [{ name: 'dog', count: 12 }],
      topHeads: [{ name: 'dog', count: 12 }],
      headHistogram: [
        { from: 1, heads: 1 },
        { from: 2, heads: 1 },
        { from: 10, heads: 1 },
      ],
    })
  })
})
