// `filter.perPhraseShare`: a threshold per head lemma that keeps the same share of each one's boxes.

import type { GroundingRow } from '../core/types.ts'
import type { ScoredFilter } from './options.ts'
import { leastScoreOf, type LeastScore } from './phrase-rules.ts'

const HISTOGRAM_BINS = 1000

/**
 * What single phrases need: with a share wanted also the score, per head lemma, above which that share of
 * its candidates lies, to 0.001. Memory: 4 KB per head lemma then.
 */
export async function surveyScores(
  rows: AsyncIterable<GroundingRow>,
  filter: ScoredFilter,
): Promise<LeastScore> {
  const { score: least, perPhraseShare: share } = filter
  const base = leastScoreOf(filter)
  if (share === undefined) return base
  const histograms = new Map<string, Uint32Array>()
  for await (const row of rows) {
    for (const { phrase: index, score } of row.candidates) {
      const phrase = row.phrases[index]!
      if (score < Math.fround(base(phrase, least))) continue
      const { lemma } = phrase
      let histogram = histograms.get(lemma)
      if (histogram === undefined) {
        histogram = new Uint32Array(HISTOGRAM_BINS + 1)
        histograms.set(lemma, histogram)
      }
      histogram[Math.floor(score * HISTOGRAM_BINS)]!++
    }
  }
  const scores = new Map([...histograms].map(([lemma, bins]) => [lemma, scoreOfShare(bins, share)]))
  return (phrase, common) => Math.max(base(phrase, common), scores.get(phrase.lemma) ?? 0)
}

function scoreOfShare(bins: Uint32Array, share: number): number {
  const wanted = Math.ceil(share * bins.reduce((sum, count) => sum + count, 0))
  let above = 0
  for (let bin = bins.length - 1; bin > 0; bin--) {
    above += bins[bin]!
    if (above >= wanted) return bin / HISTOGRAM_BINS
  }
  return 0
}
