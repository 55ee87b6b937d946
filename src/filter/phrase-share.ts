// `filter.perPhraseShare`: a threshold per head lemma that keeps the same share of each one's boxes.

import type { GroundingRow } from '../core/types.ts'
import type { LeastScore } from './phrase-rules.ts'

const HISTOGRAM_BINS = 1000

/**
 * The score, per head lemma, above which the wanted share of its candidates lies, to 0.001.
 *
 * Memory: 4 KB per head lemma.
 *
 * @param score least score of the candidates that count
 * @param base what a phrase needs anyway
 */
export async function surveyScores(
  rows: AsyncIterable<GroundingRow>,
  score: number,
  base: LeastScore,
  share: number,
): Promise<LeastScore> {
  const histograms = new Map<string, Uint32Array>()
  for await (const row of rows) {
    for (const candidate of row.candidates) {
      if (candidate.score < Math.fround(base(row, candidate.phrase, score))) continue
      const { lemma } = row.phrases[candidate.phrase]!
      let histogram = histograms.get(lemma)
      if (histogram === undefined) {
        histogram = new Uint32Array(HISTOGRAM_BINS + 1)
        histograms.set(lemma, histogram)
      }
      histogram[Math.floor(candidate.score * HISTOGRAM_BINS)]!++
    }
  }
  const scores = new Map([...histograms].map(([lemma, bins]) => [lemma, scoreOfShare(bins, share)]))
  return (row, phrase, common) =>
    Math.max(base(row, phrase, common), scores.get(row.phrases[phrase]!.lemma) ?? 0)
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
