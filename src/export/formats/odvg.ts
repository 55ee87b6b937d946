// ODVG, one image per line: three loaders, three dialects.

import { z } from 'zod'
import { ODVG_DIALECTS, odvgDialect, type OdvgDialect } from '../../core/dialects.ts'
import { odvgValidator } from '../../validate/odvg.ts'
import { commonOptions } from '../options.ts'
import type { ExportSample } from '../sample.ts'
import { defineFormat } from '../writer.ts'
import { jsonLines } from './annotation-files.ts'

const { negatives, boxSupervision, ...filesAndNames } = commonOptions

/** Phrases with spans, or boxes with labels. */
export const odvg = defineFormat({
  name: 'odvg',
  description: 'JSON Lines for mmdetection, Open-GroundingDino and TAO',
  dialects: ODVG_DIALECTS,
  options: {
    ...filesAndNames,
    /** Phrases with spans (`grounding`), or boxes with labels and a label map (`detection`). */
    variant: z.enum(['grounding', 'detection']).default('grounding'),
    negatives,
    boxSupervision,
  },
  needsCategories: ({ variant }) => variant === 'detection',
  needsImages: false,
  createWriter({ folder, categories, ...context }, { variant, layout }) {
    const dialect = odvgDialect(context.dialect)
    const recordOf = (sample: ExportSample, content: object) => {
      const { fileName, width, height, negatives } = sample
      return {
        [dialect === 'tao' ? 'file_name' : 'filename']: fileName,
        height,
        width,
        ...content,
        // The loaders pass over it.
        ...(negatives.length === 0 ? {} : { negatives }),
      }
    }
    const files = { folder, layout }
    if (variant === 'grounding') {
      return jsonLines(files, (sample) => recordOf(sample, odvgGrounding(sample, dialect)))
    }
    const labels = new Map(categories.map((name, label) => [name, label]))
    const lines = jsonLines(files, (sample) => recordOf(sample, odvgDetection(sample, labels)))
    return {
      ...lines,
      async close() {
        await lines.close()
        // {"0": "dog", ...}: keys are strings, because the loaders look labels up as str(label).
        const file = await folder.create('label_map.json')
        await file.write(`${JSON.stringify(Object.fromEntries(categories.entries()))}\n`)
        await folder.finish(file)
      },
    }
  },
  validator: odvgValidator,
})

/**
 * The grounding variant.
 *
 * mmdet: one region per phrase, with one box or a list of boxes; open-groundingdino: one region per
 * box, since its loader takes one box each; tao: the same with its own key for the file name.
 */
function odvgGrounding(sample: ExportSample, dialect: OdvgDialect): object {
  const regions = dialect === 'mmdet' ? regionsPerPhrase(sample) : regionsPerBox(sample)
  return { grounding: { caption: sample.caption, regions } }
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
function odvgDetection({ regions }: ExportSample, labels: ReadonlyMap<string, number>): object {
  const instances = regions.map(({ xyxy, category, score }) => ({
    bbox: xyxy,
    label: labels.get(category)!,
    category,
    score,
  }))
  return { detection: { instances } }
}
