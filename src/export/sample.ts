// What every format needs of a filtered sample: names, numbers and spans as files hold them.

import { GROWS_IN_LOWER_CASE, leadingSpace, pythonStrip } from '../core/python-text.ts'
import { codePointIndex } from '../core/span.ts'
import type { Box, GroundingRow } from '../core/types.ts'
import type { FilteredSample } from '../filter/filter.ts'
import { normalName } from '../filter/phrase-rules.ts'
import type { CategoryOf } from './categories.ts'

/** A box of a phrase. */
export interface ExportRegion {
  /** Index into the sample's phrases. */
  readonly phrase: number
  /** [x1, y1, x2, y2], pixels, two decimals, inside the image, sides at least 1. */
  readonly xyxy: readonly [number, number, number, number]
  /** Four decimals. */
  readonly score: number
  readonly category: string
}

/** A phrase in the caption as files have it. */
export interface ExportPhrase {
  readonly text: string
  /** Half-open, Unicode code points of `caption`. */
  readonly span: readonly [number, number]
  readonly head: string
  readonly lemma: string
}

/** An image with its caption, phrases and boxes. */
export interface ExportSample {
  readonly key: string
  /** URL or path of the image in the source; null when the bytes came with the row. */
  readonly url: string | null
  /** Of the image's bytes. */
  readonly sha256: string
  /** Relative to the images' root, with forward slashes. */
  readonly fileName: string
  readonly width: number
  readonly height: number
  /**
   * Begins and ends without white space, and keeps its length in lower case: readers strip and
   * lower-case it and go on using the spans.
   */
  readonly caption: string
  readonly phrases: readonly ExportPhrase[]
  readonly regions: readonly ExportRegion[]
  /** Names of categories that the caption does not speak of. */
  readonly negatives: readonly string[]
}

/** What a filtered sample does not say of itself. */
interface SampleNames
  extends Pick<ExportSample, 'fileName'>, Partial<Pick<ExportSample, 'negatives'>> {
  readonly categoryOf: CategoryOf
}

/** @returns undefined if no region has a category */
export function toExportSample(
  { row, regions }: FilteredSample,
  { fileName, categoryOf, negatives = [] }: SampleNames,
): ExportSample | undefined {
  const leading = leadingSpace(row.caption)
  const caption = pythonStrip(row.caption.replaceAll(GROWS_IN_LOWER_CASE, 'I'))
  const { toCodePoint } = codePointIndex(caption)
  const phrases = row.phrases.map(({ start, end, head, lemma }): ExportPhrase => {
    const [from, to] = [start - leading, Math.min(end - leading, caption.length)]
    return {
      text: caption.slice(from, to),
      span: [toCodePoint(from), toCodePoint(to)],
      head,
      lemma,
    }
  })
  const kept = regions.flatMap(({ phrase, score, box }): ExportRegion[] => {
    const category = categoryOf(normalName(phrases[phrase]!.text), row.phrases[phrase]!.lemma)
    if (category === undefined) return []
    return [{ phrase, xyxy: fileBox(box, row), score: round(score, 4), category }]
  })
  if (kept.length === 0 && regions.length > 0) return undefined
  const { key, url, sha256, width, height } = row
  return { key, url, sha256, fileName, width, height, caption, phrases, regions: kept, negatives }
}

/**
 * For files in which a box has a category and no phrase: of equal boxes of one category the one with the
 * best score stays, since two phrases with one head ("a blue bell", "a brown bell") often claim one box.
 */
export function withoutTwins(sample: ExportSample): ExportSample {
  const best = new Map<string, ExportRegion>()
  for (const region of sample.regions) {
    const place = JSON.stringify([region.category, region.xyxy])
    const other = best.get(place)
    if (other === undefined || region.score > other.score) best.set(place, region)
  }
  const kept = new Set(best.values())
  return { ...sample, regions: sample.regions.filter((region) => kept.has(region)) }
}

/** Two decimals, inside the image; a side that rounding or the image's edge made shorter than 1 px grows. */
function fileBox(box: Box, { width, height }: GroundingRow): ExportRegion['xyxy'] {
  const [x1, x2] = fileRange(box.x1, box.x2, width)
  const [y1, y2] = fileRange(box.y1, box.y2, height)
  return [x1, y1, x2, y2]
}

function fileRange(low: number, high: number, limit: number): [number, number] {
  const from = round(Math.min(Math.max(low, 0), limit), 2)
  const to = round(Math.min(Math.max(high, 0), limit), 2)
  if (to - from >= 1) return [from, to]
  const start = round(Math.max(0, Math.min(from, limit - 1)), 2)
  return [start, round(start + 1, 2)]
}

/** To so many decimals. */
export function round(value: number, digits: number): number {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}
