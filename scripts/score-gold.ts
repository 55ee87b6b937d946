// Precision and recall of kept regions against gold boxes of phrases. A region is right if its box
// has an IoU of 0.5 with a gold box of a phrase that it shares characters with; a gold box counts once.

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { boxIou } from '../src/core/box.ts'
import { codePointIndex, spansOverlap } from '../src/core/span.ts'
import type { Box, CharSpan } from '../src/core/types.ts'
import type { FilteredSample } from '../src/filter/filter.ts'

const goldLineSchema = z.object({
  key: z.string(),
  caption: z.string(),
  phrases: z.array(
    z.object({
      start: z.int(),
      end: z.int(),
      boxes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])),
    }),
  ),
})

export interface GoldPhrase extends CharSpan {
  readonly boxes: readonly Box[]
}

/** Gold of one image; spans in UTF-16 units of `caption`. */
export interface GoldImage {
  readonly caption: string
  readonly phrases: readonly GoldPhrase[]
}

/** Gold lines by key, from JSON Lines whose spans are code points. */
export async function readGold(file: string): Promise<Map<string, GoldImage>> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const { key, caption, phrases } = goldLineSchema.parse(JSON.parse(line))
      const { toUtf16 } = codePointIndex(caption)
      const image: GoldImage = {
        caption,
        phrases: phrases.map(({ start, end, boxes }) => ({
          start: toUtf16(start),
          end: toUtf16(end),
          boxes: boxes.map(([x1, y1, x2, y2]) => ({ x1, y1, x2, y2 })),
        })),
      }
      return [key, image]
    }),
  )
}

export interface GoldScore {
  readonly regions: number
  readonly rightRegions: number
  readonly goldBoxes: number
  readonly foundGoldBoxes: number
}

const MIN_IOU = 0.5

/** Sums of one image; a caption that was cleaned has its gold phrases found again by their text. */
export function scoreImage(sample: FilteredSample, gold: GoldImage): GoldScore {
  const phrases = locate(gold, sample.row.caption)
  const free = phrases.flatMap(({ start, end, boxes }) =>
    boxes.map((box) => ({ span: { start, end }, box })),
  )
  const goldBoxes = free.length
  let right = 0
  for (const region of [...sample.regions].sort((a, b) => b.score - a.score)) {
    const span = sample.row.phrases[region.phrase]!
    const at = free.findIndex(
      (one) => spansOverlap(one.span, span) && boxIou(one.box, region.box) >= MIN_IOU,
    )
    if (at < 0) continue
    free.splice(at, 1)
    right++
  }
  return {
    regions: sample.regions.length,
    rightRegions: right,
    goldBoxes,
    foundGoldBoxes: goldBoxes - free.length,
  }
}

function locate(gold: GoldImage, caption: string): readonly GoldPhrase[] {
  if (caption === gold.caption) return gold.phrases
  let from = 0
  return gold.phrases.map((phrase) => {
    const text = gold.caption.slice(phrase.start, phrase.end)
    const start = caption.indexOf(text, from)
    // A phrase that cleaning removed cannot be found; its boxes count as missed.
    if (start < 0) return { start: -1, end: -1, boxes: phrase.boxes }
    from = start + text.length
    return { start, end: from, boxes: phrase.boxes }
  })
}
