// Candidates to kept regions, one sample at a time. Pure: the same row and options give the same result.

import { boxArea, boxHeight, boxWidth, clipBox } from '../core/box.ts'
import type { Box, Candidate, GroundingRow } from '../core/types.ts'
import { nms } from './nms.ts'
import type { FilterOptions, ScoredFilter } from './options.ts'
import { leastScoreOf, nestedPhrases, phraseAdmission, type LeastScore } from './phrase-rules.ts'

/** A candidate that the filter kept. */
export interface KeptRegion {
  /** Index into the row's phrases. */
  readonly phrase: number
  readonly score: number
  readonly box: Box
}

/** A row that the filter kept. */
export interface FilteredSample {
  readonly row: GroundingRow
  /** By phrase, then by score descending. */
  readonly regions: readonly KeptRegion[]
}

/** Why a candidate is no region, in the order in which the rules are asked. */
export type CandidateDrop =
  | 'phrase_blocked'
  | 'box_outside'
  | 'box_small'
  | 'box_aspect'
  | 'box_large'
  | 'score'
  | 'other_label'
  | 'nms'
  | 'nested_phrase'
  | 'phrase_full'
  | 'image_full'
  | 'rare_phrase'
  | 'common_phrase'
  | 'no_category'
  /** The same box has the same category by another phrase. */
  | 'same_category'
  /** The sample went as a whole. */
  | 'sample_dropped'

/** Why a sample is not exported. */
export type SampleDrop =
  | 'too_few_boxes'
  | 'too_few_phrases'
  | 'image_score'
  | 'grounded_share'
  | 'blocked_image'
  | 'repeated_caption'
  | 'duplicate_pair'
  | 'duplicate_image'
  | 'near_duplicate'
  | 'rare_phrases'
  | 'balanced_away'
  | 'common_phrases'
  | 'not_drawn'
  | 'no_category'

/** Told of candidates that go. */
export type CountDrop = (reason: CandidateDrop, count: number) => void

/** @returns the sample with its regions, or why it goes */
export type SampleFilter = (row: GroundingRow, countDrop?: CountDrop) => FilteredSample | SampleDrop

/** A row while it is filtered. */
interface Judged {
  readonly row: GroundingRow
  readonly options: ScoredFilter
  readonly leastScore: LeastScore
  readonly countDrop: CountDrop
}

/** @param leastScore of single phrases; default: what the options say */
export function createSampleFilter(
  options: ScoredFilter,
  leastScore: LeastScore = leastScoreOf(options),
): SampleFilter {
  const isAdmitted = phraseAdmission(options)
  return (row, countDrop = () => undefined) => {
    const admitted = row.phrases.map(isAdmitted)
    const judged = { row, options, leastScore, countDrop }
    const usable = usableBoxes(judged, admitted)
    const passed = passCandidates(judged, usable)
    countDrop('score', usable.length - passed.length)
    const regions = suppress(judged, passed)
    const reason = gateSample({ row, regions, admitted: admitted.filter(Boolean).length }, options)
    if (reason === undefined) return { row, regions }
    countDrop('sample_dropped', regions.length)
    return reason
  }
}

interface GatedSample extends FilteredSample {
  /** Phrases that could have had a box; absent: all. */
  readonly admitted?: number
}

/** The rules about a sample as a whole. @returns why it goes, or undefined if it stays */
export function gateSample(
  { row, regions, admitted = row.phrases.length }: GatedSample,
  { minBoxesPerImage, minPhrases, imageHasScore, groundedShare }: FilterOptions,
): SampleDrop | undefined {
  const grounded = new Set(regions.map(({ phrase }) => phrase)).size
  if (regions.length < minBoxesPerImage) return 'too_few_boxes'
  if (grounded < minPhrases) return 'too_few_phrases'
  if (imageHasScore !== undefined && !regions.some(({ score }) => reaches(score, imageHasScore))) {
    return 'image_score'
  }
  const share = admitted === 0 ? 0 : grounded / admitted
  return share < groundedShare ? 'grounded_share' : undefined
}

/** Scores are stored as 32-bit floats: 0.65 of the store is below 0.65 of the config. */
function reaches(score: number, least: number): boolean {
  return score >= Math.fround(least)
}

function usableBoxes(
  { row, options: { box: rules }, countDrop }: Judged,
  admitted: readonly boolean[],
): Candidate[] {
  return row.candidates.flatMap((candidate) => {
    const clipped = clipBox(candidate.box, row)
    const isInside = sameBox(clipped, candidate.box)
    const short = Math.min(boxWidth(clipped), boxHeight(clipped))
    const long = Math.max(boxWidth(clipped), boxHeight(clipped))
    let reason: CandidateDrop | undefined
    if (admitted[candidate.phrase] !== true) reason = 'phrase_blocked'
    else if (!rules.clip && !isInside) reason = 'box_outside'
    // Negated, so that NaN goes, too.
    else if (!(short > 0 && short >= rules.minSide)) reason = 'box_small'
    else if (long > short * (rules.maxAspect ?? Infinity)) reason = 'box_aspect'
    else if (boxArea(clipped) > (rules.maxAreaShare ?? 1) * row.width * row.height) {
      reason = 'box_large'
    }
    if (reason === undefined) return [isInside ? candidate : { ...candidate, box: clipped }]
    countDrop(reason, 1)
    return []
  })
}

function sameBox(a: Box, b: Box): boolean {
  return a.x1 === b.x1 && a.y1 === b.y1 && a.x2 === b.x2 && a.y2 === b.y2
}

/** With the IoU that holds among the boxes of its phrase. */
interface Passed extends Candidate {
  readonly iou: number
}

/** Candidates above the first score, and above the later ones for phrases that have none yet. */
function passCandidates(
  { row, options: { score, passes, nms: rule }, leastScore }: Judged,
  candidates: readonly Candidate[],
): Passed[] {
  const passed: Passed[] = []
  const grounded = new Set<number>()
  for (const pass of [{ score, iou: undefined }, ...passes]) {
    const found = candidates.filter(
      (one) =>
        !grounded.has(one.phrase) &&
        reaches(one.score, leastScore(row.phrases[one.phrase]!, pass.score)),
    )
    for (const { phrase } of found) grounded.add(phrase)
    passed.push(...found.map((one) => ({ ...one, iou: pass.iou ?? rule.iou })))
  }
  return passed
}

/** The rules that compare boxes with each other; by phrase, then by score descending. */
function suppress({ row, options, countDrop }: Judged, passed: readonly Passed[]): KeptRegion[] {
  const { bestLabelPerBox, nested, maxBoxesPerPhrase, maxBoxesPerImage } = options
  let kept = [...passed].sort(byScore)
  const keep = (reason: CandidateDrop, next: Passed[]) => {
    countDrop(reason, kept.length - next.length)
    kept = next
  }
  if (bestLabelPerBox) keep('other_label', firstPerBox(kept))
  keep('nms', suppressOverlaps(kept, options.nms.scope))
  if (nested !== 'keep') {
    const gone = nestedPhrases(
      new Map(kept.map(({ phrase }) => [phrase, row.phrases[phrase]!])),
      nested,
    )
    keep(
      'nested_phrase',
      kept.filter(({ phrase }) => !gone.has(phrase)),
    )
  }
  if (maxBoxesPerPhrase !== undefined) {
    keep(
      'phrase_full',
      byPhrase(kept).flatMap((boxes) => boxes.slice(0, maxBoxesPerPhrase)),
    )
  }
  if (maxBoxesPerImage !== undefined) {
    keep('image_full', [...kept].sort(byScore).slice(0, maxBoxesPerImage))
  }
  return kept
    .sort((a, b) => a.phrase - b.phrase || byScore(a, b))
    .map(({ phrase, score, box }) => ({ phrase, score, box }))
}

function firstPerBox(sorted: readonly Passed[]): Passed[] {
  const taken = new Set<string>()
  return sorted.filter(({ box }) => {
    const place = `${box.x1},${box.y1},${box.x2},${box.y2}`
    return !taken.has(place) && taken.add(place)
  })
}

function suppressOverlaps(
  sorted: readonly Passed[],
  scope: FilterOptions['nms']['scope'],
): Passed[] {
  if (scope === 'none') return [...sorted]
  const groups = scope === 'all' ? [sorted] : byPhrase(sorted)
  return groups.flatMap((members) => {
    const boxes = members.map(({ box }) => box)
    return nms(boxes, members[0]?.iou ?? 1).map((index) => members[index]!)
  })
}

/** Groups in which the order stays. */
function byPhrase(candidates: readonly Passed[]): Passed[][] {
  const groups = new Map<number, Passed[]>()
  for (const candidate of candidates) {
    const members = groups.get(candidate.phrase)
    if (members === undefined) groups.set(candidate.phrase, [candidate])
    else members.push(candidate)
  }
  return [...groups.values()]
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
