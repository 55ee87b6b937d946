// The `balance:` section: how often a concept, named by its head lemma, may come in the whole export.

import { createHash } from 'node:crypto'
import {
  gateSample,
  type CandidateDrop,
  type CountDrop,
  type FilteredSample,
  type SampleDrop,
} from './filter.ts'
import type { BalanceOptions, FilterOptions } from './options.ts'

/** Sections of a recipe. */
export interface FilterRecipe {
  readonly filter: FilterOptions
  readonly balance: BalanceOptions
}

/** @returns the sample, perhaps with fewer regions, or why it goes */
export type SampleBalance = (
  sample: FilteredSample,
  countDrop?: CountDrop,
) => FilteredSample | SampleDrop

const keepAll: SampleBalance = (sample) => sample

/**
 * Surveys the samples as often as the options need, which is not at all for `maxPerPhrase`.
 *
 * Memory: one entry per head lemma; 8 bytes per sample for `maxSamples`.
 *
 * @param samples from the start each time, always the same
 * @returns makes a balance for one pass over the samples
 */
export async function surveyBalance(
  samples: () => AsyncIterable<FilteredSample>,
  { filter, balance: options }: FilterRecipe,
): Promise<() => SampleBalance> {
  const steps: (() => SampleBalance)[] = []
  const { minCount, phrase, maxPerPhrase, maxSamples, seed } = options
  if (minCount > 1 || phrase !== undefined) {
    const counts = new Map<string, number>()
    for await (const sample of samples()) countLemmas(sample, counts)
    if (minCount > 1) {
      const isFrequent = (lemma: string) => counts.get(lemma)! >= minCount
      const rule = { isKept: isFrequent, region: 'rare_phrase', sample: 'rare_phrases' } as const
      steps.push(() => keepRegions(rule, filter))
    }
    if (phrase !== undefined) steps.push(() => drawByLemma(counts, { wanted: phrase, seed }))
  }
  if (maxPerPhrase !== undefined) steps.push(() => capLemmas(maxPerPhrase, filter))
  const chain = (): SampleBalance => {
    const balances = steps.map((make) => make())
    return (sample, countDrop) =>
      balances.reduce<FilteredSample | SampleDrop>(
        (kept, balance) => (typeof kept === 'string' ? kept : balance(kept, countDrop)),
        sample,
      )
  }
  if (maxSamples === undefined) return steps.length === 0 ? () => keepAll : chain
  const draws: number[] = []
  const balance = chain()
  for await (const sample of samples()) {
    if (typeof balance(sample) !== 'string') draws.push(drawOf(sample, seed))
  }
  // The draw up to which there are enough.
  const limit = draws.length <= maxSamples ? 1 : Float64Array.from(draws).sort()[maxSamples - 1]!
  steps.push(() => (sample, countDrop) => {
    if (drawOf(sample, seed) <= limit) return sample
    countDrop?.('sample_dropped', sample.regions.length)
    return 'not_drawn'
  })
  return chain
}

function lemmasOf({ row, regions }: FilteredSample): Set<string> {
  return new Set(regions.map(({ phrase }) => row.phrases[phrase]!.lemma))
}

function countLemmas(sample: FilteredSample, counts: Map<string, number>): void {
  for (const lemma of lemmasOf(sample)) counts.set(lemma, (counts.get(lemma) ?? 0) + 1)
}

/** Which lemmas have regions, and why the others have none. */
interface LemmaRule {
  readonly isKept: (lemma: string) => boolean
  readonly region: CandidateDrop
  readonly sample: SampleDrop
}

/** Drops the regions of some lemmas; what is left must still satisfy the rules for a sample. */
function keepRegions(rule: LemmaRule, filter: FilterOptions): SampleBalance {
  return (sample, countDrop) => {
    const { row } = sample
    const regions = sample.regions.filter(({ phrase }) => rule.isKept(row.phrases[phrase]!.lemma))
    countDrop?.(rule.region, sample.regions.length - regions.length)
    if (regions.length === sample.regions.length) return sample
    const reason = regions.length === 0 ? rule.sample : gateSample({ row, regions }, filter)
    if (reason === undefined) return { row, regions }
    countDrop?.('sample_dropped', regions.length)
    return reason
  }
}

function drawByLemma(
  counts: ReadonlyMap<string, number>,
  { wanted, seed }: { readonly wanted: number; readonly seed: number },
): SampleBalance {
  return (sample, countDrop) => {
    const { row, regions } = sample
    // Without regions there is no concept to balance.
    if (regions.length === 0) return sample
    const isDrawn = [...lemmasOf(sample)].some(
      (lemma) =>
        uniform(`${seed}\n${lemma}\n${row.sha256}\n${row.caption}`) < wanted / counts.get(lemma)!,
    )
    if (isDrawn) return sample
    countDrop?.('sample_dropped', regions.length)
    return 'balanced_away'
  }
}

function capLemmas(limit: number, filter: FilterOptions): SampleBalance {
  const counts = new Map<string, number>()
  const isKept = (lemma: string) => (counts.get(lemma) ?? 0) < limit
  const keep = keepRegions({ isKept, region: 'common_phrase', sample: 'common_phrases' }, filter)
  return (sample, countDrop) => {
    const kept = keep(sample, countDrop)
    if (typeof kept !== 'string') countLemmas(kept, counts)
    return kept
  }
}

function drawOf({ row }: FilteredSample, seed: number): number {
  return uniform(`${seed}\n\n${row.sha256}\n${row.caption}`)
}

/** [0, 1), from the text alone. */
function uniform(text: string): number {
  const digest = createHash('sha256').update(text).digest()
  return (digest.readUInt32BE(0) * 2 ** 20 + (digest.readUInt32BE(4) >>> 12)) / 2 ** 52
}
