// ODVG, one image per line: three loaders, three dialects.

import type { OdvgDialect } from '../core/dialects.ts'
import type { ExportSample } from './sample.ts'

/**
 * The grounding variant.
 *
 * mmdet: one region per phrase, with one box or a list of boxes; open-groundingdino: one region per
 * box, since its loader takes one box each; tao: the same with its own key for the file name.
 */
export function odvgGrounding(sample: ExportSample, dialect: OdvgDialect): object {
  const { width, height, caption } = sample
  const regions = dialect === 'mmdet' ? regionsPerPhrase(sample) : regionsPerBox(sample)
  return {
    ...nameOf(sample, dialect),
    height,
    width,
    grounding: { caption, regions },
    ...extra(sample),
  }
}

function nameOf({ fileName }: ExportSample, dialect: OdvgDialect): object {
  return dialect === 'tao' ? { file_name: fileName } : { filename: fileName }
}

/** Keys that the loaders pass over. */
function extra({ negatives }: ExportSample): object {
  return negatives.length === 0 ? {} : { negatives }
}

function regionsPerBox({ phrases, regions }: ExportSample): object[] {
  return regions.map(({ phrase, xyxy, score }) => ({
    bbox: xyxy,
    phrase: phrases[phrase]!.text,
    tokens_positive: [phrases[phrase]!.span],
    score,
  }))
}

function regionsPerPhrase({ phrases, regions }: ExportSample): object[] {
  return phrases.flatMap(({ text, span }, index) => {
    const mine = regions.filter(({ phrase }) => phrase === index)
    if (mine.length === 0) return []
    const boxes = mine.map(({ xyxy }) => xyxy)
    const scores = mine.map(({ score }) => score)
    return [
      {
        bbox: boxes.length === 1 ? boxes[0] : boxes,
        phrase: text,
        tokens_positive: [span],
        score: scores.length === 1 ? scores[0] : scores,
      },
    ]
  })
}

/** The detection variant; labels count from 0, in the order of the label map. */
export function odvgDetection(
  sample: ExportSample,
  dialect: OdvgDialect,
  labels: ReadonlyMap<string, number>,
): object {
  const { width, height, regions } = sample
  const instances = regions.map(({ xyxy, category, score }) => ({
    bbox: xyxy,
    label: labels.get(category)!,
    category,
    score,
  }))
  return { ...nameOf(sample, dialect), height, width, detection: { instances }, ...extra(sample) }
}

/** {"0": "dog", ...}: keys are strings, because the loaders look labels up as str(label). */
export function labelMap(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, label) => [String(label), name]))
}
