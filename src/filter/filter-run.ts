// Filters over a whole run: what one sample cannot decide alone. Rows come in run order, each time the
// same, so that "the first of its kind" means the same in every pass.

import type { GroundingRow } from '../core/types.ts'
import { surveyBalance } from './balance.ts'
import {
  createSampleFilter,
  type CandidateDrop,
  type FilteredSample,
  type SampleDrop,
} from './filter.ts'
import type { BalanceOptions, FilterOptions } from './options.ts'
import { surveyScores } from './phrase-share.ts'
import { scoreScaling } from './phrase-rules.ts'
import { createRepeatFinder, readBlockedImages, surveyCaptions, type RowGate } from './repeats.ts'

/** rows = samples + dropped samples; candidates = regions + dropped candidates. */
export interface FilterCounts {
  readonly rows: number
  readonly samples: number
  readonly droppedSamples: Readonly<Partial<Record<SampleDrop, number>>>
  readonly candidates: number
  readonly regions: number
  readonly droppedCandidates: Readonly<Partial<Record<CandidateDrop, number>>>
}

/** A row that is not exported, and why. */
export interface DroppedSample {
  readonly row: GroundingRow
  readonly dropped: SampleDrop
}

/** What the filter makes of a run. */
export interface FilteredRun {
  /** One per row, in run order. */
  outcomes(): AsyncIterable<FilteredSample | DroppedSample>
  /** The kept ones. */
  samples(): AsyncIterable<FilteredSample>
  /** Of the last pass, as far as it went. */
  counts(): FilterCounts
}

/** Rows of the run from the start, each time it is called. */
export type RowsOf = () => AsyncIterable<GroundingRow>

/**
 * Surveys the run as often as the options need (not at all for most), so that every later pass gives
 * the same samples.
 *
 * Memory does not grow with the run, but for what repeats.ts, balance.ts and phrase-share.ts state.
 *
 * @param defaultScore the teacher's, for a filter without a score
 * @throws ConfigError for an option that names a file which is no such file
 */
export async function filterRun(
  storedRows: RowsOf,
  options: FilterOptions,
  balance: BalanceOptions,
  defaultScore: number,
): Promise<FilteredRun> {
  const filter = { ...options, score: options.score ?? defaultScore }
  const { blockedImages, maxCaptionRepeats } = filter
  const scaled = scoreScaling(filter)
  async function* rows(): AsyncGenerator<GroundingRow> {
    for await (const row of storedRows()) yield scaled(row)
  }
  const filterSample = createSampleFilter(filter, await surveyScores(rows(), filter))
  const gates: RowGate[] = []
  if (blockedImages !== undefined) {
    gates.push(await readBlockedImages(blockedImages, filter.nearDuplicateBits ?? 0))
  }
  if (maxCaptionRepeats !== undefined) {
    gates.push(await surveyCaptions(rows(), maxCaptionRepeats))
  }
  const gateOf: RowGate = (row) =>
    gates.reduce<SampleDrop | undefined>((reason, gate) => reason ?? gate(row), undefined)

  async function* unbalanced(tally: Tally): AsyncGenerator<FilteredSample | DroppedSample> {
    const findRepeat = createRepeatFinder(filter)
    for await (const row of rows()) {
      const gone = gateOf(row)
      if (gone !== undefined) {
        tally.candidate('sample_dropped', row.candidates.length)
        yield { row, dropped: gone }
        continue
      }
      const result = filterSample(row, tally.candidate)
      if (typeof result === 'string') {
        yield { row, dropped: result }
        continue
      }
      const repeat = findRepeat(row)
      if (repeat === undefined) {
        yield result
        continue
      }
      tally.candidate('sample_dropped', result.regions.length)
      yield { row, dropped: repeat }
    }
  }
  const newBalance = await surveyBalance(() => keptOf(unbalanced(new Tally())), { filter, balance })

  let tally = new Tally()
  async function* outcomes(): AsyncGenerator<FilteredSample | DroppedSample> {
    const mine = (tally = new Tally())
    const balanceSample = newBalance()
    for await (const outcome of unbalanced(mine)) {
      const result = 'dropped' in outcome ? outcome : balanceSample(outcome, mine.candidate)
      const final = typeof result === 'string' ? { row: outcome.row, dropped: result } : result
      mine.outcome(final)
      yield final
    }
  }
  return { outcomes, samples: () => keptOf(outcomes()), counts: () => tally.counts() }
}

async function* keptOf(
  outcomes: AsyncIterable<FilteredSample | DroppedSample>,
): AsyncGenerator<FilteredSample> {
  for await (const outcome of outcomes) if (!('dropped' in outcome)) yield outcome
}

class Tally {
  readonly #droppedSamples: Partial<Record<SampleDrop, number>> = {}
  readonly #droppedCandidates: Partial<Record<CandidateDrop, number>> = {}
  readonly #counts = {
    rows: 0,
    samples: 0,
    droppedSamples: this.#droppedSamples,
    candidates: 0,
    regions: 0,
    droppedCandidates: this.#droppedCandidates,
  }

  readonly candidate = (reason: CandidateDrop, count: number): void => {
    if (count === 0) return
    this.#droppedCandidates[reason] = (this.#droppedCandidates[reason] ?? 0) + count
  }

  outcome(outcome: FilteredSample | DroppedSample): void {
    this.#counts.rows++
    this.#counts.candidates += outcome.row.candidates.length
    if ('dropped' in outcome) {
      const reason = outcome.dropped
      this.#droppedSamples[reason] = (this.#droppedSamples[reason] ?? 0) + 1
    } else {
      this.#counts.samples++
      this.#counts.regions += outcome.regions.length
    }
  }

  counts(): FilterCounts {
    return structuredClone(this.#counts)
  }
}
