import { describe, expect, it } from 'vitest'
import { filterOptionsSchema } from '../../src/filter/options.ts'
import { surveyScores } from '../../src/filter/phrase-share.ts'
import { makeRow } from '../helpers/runs.ts'

const wanted = (score: number, perPhraseShare: number) => ({
  ...filterOptionsSchema.parse({ perPhraseShare }),
  score,
})

async function* rowsOf(text: string, scores: readonly number[]) {
  for (const [row, score] of scores.entries()) {
    yield makeRow({ row, caption: text, boxes: [[text, score, 0, 0, 9, 9]] })
  }
}

describe('surveyScores', () => {
  const dog = makeRow({ caption: 'a dog', boxes: [['a dog', 0.9, 0, 0, 9, 9]] })
  const phrase = dog.phrases[0]!
  const scores = [0.9, 0.8, 0.7, 0.6, 0.5]

  it.each([
    [0.2, 0.9],
    [0.4, 0.8],
    [0.5, 0.7], // three of five: at least the share
    [1, 0.5],
  ])('for the share %d asks for a score of %d', async (share, expected) => {
    const least = await surveyScores(rowsOf('a dog', scores), wanted(0.1, share))

    // Scores are counted in thousandths.
    expect(least(phrase, 0.1)).toBeCloseTo(expected, 2)
    expect(least(phrase, 0.1)).toBeLessThanOrEqual(expected)
  })

  it('never asks for less than the phrase needs anyway', async () => {
    const least = await surveyScores(rowsOf('a dog', scores), wanted(0.1, 1))

    expect(least(phrase, 0.85)).toBe(0.85)
  })

  it('counts only candidates from the least score on', async () => {
    const least = await surveyScores(rowsOf('a dog', scores), wanted(0.75, 0.5))

    expect(least(phrase, 0.75)).toBeCloseTo(0.9, 2)
  })

  it('asks nothing of a lemma that it has not met', async () => {
    const least = await surveyScores(rowsOf('a cat', scores), wanted(0.1, 0.2))

    expect(least(phrase, 0.3)).toBe(0.3)
  })
})
