// Our own record, for scripts: everything that an export knows of an image, one per line.

import { commonOptions } from '../options.ts'
import type { ExportSample } from '../sample.ts'
import { defineFormat } from '../writer.ts'
import { jsonLines } from './annotation-files.ts'

/** Records for scripts. */
export const jsonl = defineFormat({
  name: 'jsonl',
  description: 'our own records for scripts: JSON Lines of all that is known of an image',
  options: commonOptions,
  needsCategories: () => false,
  needsImages: false,
  createWriter: ({ folder }, { layout }) => jsonLines({ folder, layout }, jsonlRecord),
})

/** Spans are half-open ranges of code points in `caption`; boxes [x1, y1, x2, y2] in pixels. */
function jsonlRecord(sample: ExportSample): object {
  const { key, url, sha256, fileName, width, height, caption, phrases, regions, negatives } = sample
  return {
    key,
    url,
    sha256,
    file_name: fileName,
    width,
    height,
    caption,
    phrases: phrases.map(({ text, span: [start, end], head, lemma }) => {
      return { start, end, text, head, lemma }
    }),
    regions: regions.map(({ phrase, score, xyxy }) => ({ phrase, score, box: xyxy })),
    ...(negatives.length === 0 ? {} : { negatives }),
  }
}
