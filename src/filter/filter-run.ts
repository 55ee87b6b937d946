// Filters over a whole run: what one sample cannot decide alone. Rows come in run order, each time the
// same, so that "the first of its kind" means the same in every pass.

import { createHash } from 'node:crypto'
import type { GroundingRow } from '../core/types.ts'
import {
  filterSample,
  perPhraseScore,
  type CandidateDrop,
  type FilteredSample,
  type LeastScore,
  type SampleDrop,
} from './filter.ts'
import type { BalanceOptions, FilterOptions } from './options.ts'

export interface FilterCounts {
  readonly rows: number
  readonly samples: number
  readonly regions: number
  readonly droppedSamples: Readonly<Partial<Record<SampleDrop, number>>>
  readonly droppedCandidates: Readonly<Partial<Record<CandidateDrop, number>>>
}

export interface FilteredRun {
  /** Kept samples, in run order. */
  samples(): AsyncIterable<FilteredSample>
  /** Of the last complete pass. */
  counts(): FilterCounts
}

/** Rows of the run from the start, each time it is called. */
export type RowsOf = () => AsyncIterable<GroundingRow>

/**
 * Surveys the run as often as the options need (no time for most), so that every later pass over
 * `samples()` gives the same samples.
 *
 * Memory: 16 bytes per kept sample for `dedup`, a few numbers per head lemma for the survey.
 *
 * @param defaultScore the teacher's, for a filter without a score
 */
export async function filterRun(
  rows: RowsOf,
  filter: FilterOptions,
  balance: BalanceOptions,
  defaultScore: number,
): Promise<FilteredRun> {
  const score = filter.score ?? defaultScore
  const base = perPhraseScore(filter)
  const leastScore =
    filter.perPhraseShare === undefined
      ? base
      : await shareScores(rows, score, base, filter.perPhraseShare)
  let tally = new Tally()
  async function* unbalanced(): AsyncGenerator<FilteredSample> {
    tally = new Tally()
    const repeats = createRepeatFinder(filter)
    for await (const row of rows()) {
      tally.rows++
      const result = filterSample(row, filter, score, leastScore, tally.candidate)
      const repeat = typeof result === 'string' ? result : repeats(row)
      if (typeof result === 'string' || repeat !== undefined) tally.sample(repeat as SampleDrop)
      else yield result
    }
  }
  const isBalanced = balance.phrase !== undefined || balance.minCount > 1
  const lemmas = isBalanced ? await countLemmas(unbalanced()) : new Map<string, number>()
  return {
    counts: () => tally.counts(),
    async *samples() {
      for await (const sample of unbalanced()) {
        const kept = isBalanced ? balanceSample(sample, lemmas, balance) : sample
        if (typeof kept === 'string') {
          tally.sample(kept)
        } else {
          tally.keep(kept)
          yield kept
        }
      }
    },
  }
}

class Tally {
  rows = 0
  #samples = 0
  #regions = 0
  readonly #droppedSamples: Partial<Record<SampleDrop, number>> = {}
  readonly #droppedCandidates: Partial<Record<CandidateDrop, number>> = {}

  readonly candidate = (reason: CandidateDrop): void => {
    this.#droppedCandidates[reason] = (this.#droppedCandidates[reason] ?? 0) + 1
  }

  sample(reason: SampleDrop): void {
    this.#droppedSamples[reason] = (this.#droppedSamples[reason] ?? 0) + 1
  }

  keep({ regions }: FilteredSample): void {
    this.#samples++
    this.#regions += regions.length
  }

  counts(): FilterCounts {
    return {
      rows: this.rows,
      samples: this.#samples,
      regions: this.#regions,
      droppedSamples: { ...this.#droppedSamples },
      droppedCandidates: { ...this.#droppedCandidates },
    }
  }
}

function createRepeatFinder(filter: FilterOptions): (row: GroundingRow) => SampleDrop | undefined {
  const seen = new Set<string>()
  const near =
    filter.nearDuplicateBits === undefined ? undefined : createNearFinder(filter.nearDuplicateBits)
  return (row) => {
    if (filter.dedup !== 'none') {
      const what = filter.dedup === 'pair' ? `${row.sha256}\n${row.caption}` : row.sha256
      const mark = createHash('sha256').update(what).digest().toString('latin1', 0, 16)
      if (seen.has(mark)) return filter.dedup === 'pair' ? 'duplicate_pair' : 'duplicate_image'
      seen.add(mark)
    }
    return near?.(row) === true ? 'near_duplicate' : undefined
  }
}

const HASH_BITS = 64

/**
 * Finds an earlier hash of another image within `bits`: of bits + 1 pieces of two such hashes at
 * least one is equal, so only hashes that share a piece are compared.
 */
function createNearFinder(bits: number): (row: GroundingRow) => boolean {
  const width = Math.ceil(HASH_BITS / (bits + 1))
  const pieces = Array.from(
    { length: bits + 1 },
    () => new Map<bigint, { hash: bigint; sha: string }[]>(),
  )
  const mask = (1n << BigInt(width)) - 1n
  return ({ dhash, sha256 }) => {
    const hash = BigInt(`0x${dhash}`)
    const keys = pieces.map((_, index) => (hash >> BigInt(index * width)) & mask)
    const isNear = keys.some((key, index) =>
      // The same image with another caption is `dedup`'s affair.
      pieces[index]!.get(key)?.some(
        (one) => one.sha !== sha256 && distance(one.hash, hash) <= bits,
      ),
    )
    if (!isNear) {
      for (const [index, key] of keys.entries()) {
        const list = pieces[index]!.get(key)
        if (list === undefined) pieces[index]!.set(key, [{ hash, sha: sha256 }])
        else list.push({ hash, sha: sha256 })
      }
    }
    return isNear
  }
}

function distance(a: bigint, b: bigint): number {
  let count = 0
  for (let rest = a ^ b; rest > 0n; rest &= rest - 1n) count++
  return count
}

const HISTOGRAM_BINS = 1000

/** The score, per head lemma, above which the wanted share of its candidates lies. */
async function shareScores(
  rows: RowsOf,
  score: number,
  base: LeastScore,
  share: number,
): Promise<LeastScore> {
  const histograms = new Map<string, Uint32Array>()
  for await (const row of rows()) {
    for (const candidate of row.candidates) {
      if (candidate.score < base(row, candidate.phrase, score)) continue
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

function lemmasOf({ row, regions }: FilteredSample): Set<string> {
  return new Set(regions.map(({ phrase }) => row.phrases[phrase]!.lemma))
}

async function countLemmas(samples: AsyncIterable<FilteredSample>): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for await (const sample of samples) {
    for (const lemma of lemmasOf(sample)) counts.set(lemma, (counts.get(lemma) ?? 0) + 1)
  }
  return counts
}

function balanceSample(
  sample: FilteredSample,
  counts: ReadonlyMap<string, number>,
  { phrase: wanted, minCount, seed }: BalanceOptions,
): FilteredSample | SampleDrop {
  const { row } = sample
  const regions = sample.regions.filter(
    ({ phrase }) => counts.get(row.phrases[phrase]!.lemma)! >= minCount,
  )
  if (regions.length === 0 && sample.regions.length > 0) return 'rare_phrases'
  const kept = regions.length === sample.regions.length ? sample : { row, regions }
  if (wanted === undefined) return kept
  const isDrawn = [...lemmasOf(kept)].some(
    (lemma) =>
      uniform(`${seed}\n${lemma}\n${row.sha256}\n${row.caption}`) < wanted / counts.get(lemma)!,
  )
  return isDrawn ? kept : 'balanced_away'
}

/** [0, 1), from the text alone. */
function uniform(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32
}
