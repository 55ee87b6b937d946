// Candidates to kept regions, one sample at a time. Pure: the same row and options give the same result.

import { boxArea, boxHeight, boxWidth, clipBox } from '../core/box.ts'
import type { Box, Candidate, GroundingRow } from '../core/types.ts'
import { nms } from './nms.ts'
import type { FilterOptions } from './options.ts'

export interface KeptRegion {
  /** Index into the row's phrases. */
  readonly phrase: number
  readonly score: number
  readonly box: Box
}

export interface FilteredSample {
  readonly row: GroundingRow
  /** By phrase, then by score descending. */
  readonly regions: readonly KeptRegion[]
}

/** Why a candidate is no region. */
export type CandidateDrop =
  'box_outside' | 'box_small' | 'box_large' | 'score' | 'nms' | 'other_label'

/** Why a sample is not exported. */
export type SampleDrop =
  | 'too_few_boxes'
  | 'too_few_phrases'
  | 'image_score'
  | 'grounded_share'
  | 'duplicate_pair'
  | 'duplicate_image'
  | 'near_duplicate'
  | 'rare_phrases'
  | 'balanced_away'
  | 'no_category'

export type CountDrop = (reason: CandidateDrop) => void

/** Least score of a phrase, given the one that holds for all. */
export type LeastScore = (row: GroundingRow, phrase: number, score: number) => number

export function phraseName(row: GroundingRow, phrase: number): string {
  return row.phrases[phrase]!.text.toLowerCase().replace(/\s+/g, ' ').trim()
}

/** Scores by phrase or lemma in place of the common one. */
export function perPhraseScore(options: FilterOptions): LeastScore {
  const scores = new Map(Object.entries(options.perPhraseScore))
  if (scores.size === 0) return (_row, _phrase, score) => score
  return (row, phrase, score) =>
    scores.get(phraseName(row, phrase)) ?? scores.get(row.phrases[phrase]!.lemma) ?? score
}

/**
 * @param score least score for the first pass, where no other holds
 * @returns the sample with its regions, or why it goes
 */
export function filterSample(
  row: GroundingRow,
  options: FilterOptions,
  score: number,
  leastScore: LeastScore = perPhraseScore(options),
  countDrop: CountDrop = () => undefined,
): FilteredSample | SampleDrop {
  const usable = usableBoxes(row, options, countDrop)
  const passed = passCandidates(row, usable, options, score, leastScore)
  for (let below = passed.length; below < usable.length; below++) countDrop('score')
  const regions = suppress(passed, options, countDrop)
  const grounded = new Set(regions.map(({ phrase }) => phrase)).size
  if (regions.length < options.minBoxesPerImage) return 'too_few_boxes'
  if (grounded < options.minPhrases) return 'too_few_phrases'
  const { imageHasScore } = options
  if (imageHasScore !== undefined && !regions.some((region) => region.score >= imageHasScore)) {
    return 'image_score'
  }
  const share = row.phrases.length === 0 ? 0 : grounded / row.phrases.length
  if (share < options.groundedShare) return 'grounded_share'
  return { row, regions }
}

function usableBoxes(
  row: GroundingRow,
  { box: rules }: FilterOptions,
  countDrop: CountDrop,
): Candidate[] {
  const { width, height } = row
  const kept: Candidate[] = []
  for (const candidate of row.candidates) {
    const clipped = clipBox(candidate.box, width, height)
    const isInside = sameBox(clipped, candidate.box)
    if (!rules.clip && !isInside) {
      countDrop('box_outside')
    } else if (
      !(Math.min(boxWidth(clipped), boxHeight(clipped)) >= Math.max(rules.minSide, 1e-6))
    ) {
      countDrop('box_small')
    } else if (boxArea(clipped) > (rules.maxAreaShare ?? 1) * width * height) {
      countDrop('box_large')
    } else {
      kept.push(isInside ? candidate : { ...candidate, box: clipped })
    }
  }
  return kept
}

function sameBox(a: Box, b: Box): boolean {
  return a.x1 === b.x1 && a.y1 === b.y1 && a.x2 === b.x2 && a.y2 === b.y2
}

/** Candidates above the first score, and above the later ones for phrases that have none yet. */
function passCandidates(
  row: GroundingRow,
  candidates: readonly Candidate[],
  options: FilterOptions,
  score: number,
  leastScore: LeastScore,
): Candidate[] {
  const passed: Candidate[] = []
  const grounded = new Set<number>()
  for (const pass of [score, ...options.passes.map((one) => one.score)]) {
    const found = candidates.filter(
      ({ phrase, score: own }) => !grounded.has(phrase) && own >= leastScore(row, phrase, pass),
    )
    for (const { phrase } of found) grounded.add(phrase)
    passed.push(...found)
  }
  return passed
}

/** NMS and, if wanted, one label per box; by phrase, then by score descending. */
function suppress(
  candidates: readonly Candidate[],
  { nms: rule, bestLabelPerBox }: FilterOptions,
  countDrop: CountDrop,
): KeptRegion[] {
  let kept = [...candidates].sort(byScore)
  if (bestLabelPerBox) {
    const taken = new Set<string>()
    kept = kept.filter(({ box }) => {
      const place = `${box.x1},${box.y1},${box.x2},${box.y2}`
      if (taken.has(place)) {
        countDrop('other_label')
        return false
      }
      taken.add(place)
      return true
    })
  }
  if (rule.scope !== 'none') {
    const groups = new Map<number, Candidate[]>()
    for (const candidate of kept) {
      const group = rule.scope === 'all' ? 0 : candidate.phrase
      const members = groups.get(group)
      if (members === undefined) groups.set(group, [candidate])
      else members.push(candidate)
    }
    kept = [...groups.values()].flatMap((members) => {
      const survivors = nms(
        members.map(({ box }) => box),
        rule.iou,
      )
      for (let gone = survivors.length; gone < members.length; gone++) countDrop('nms')
      return survivors.map((index) => members[index]!)
    })
  }
  return kept.sort((a, b) => a.phrase - b.phrase || byScore(a, b))
}

/** A total order, so that ties do not depend on the order of the store. */
function byScore(a: Candidate, b: Candidate): number {
  return (
    b.score - a.score ||
    a.phrase - b.phrase ||
    a.box.x1 - b.box.x1 ||
    a.box.y1 - b.box.y1 ||
    a.box.x2 - b.box.x2 ||
    a.box.y2 - b.box.y2
  )
}
