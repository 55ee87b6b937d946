// Our own record, for scripts: everything that an export knows of an image, one per line.

import type { ExportSample } from './sample.ts'

/** Spans are half-open ranges of code points in `caption`; boxes [x1, y1, x2, y2] in pixels. */
export function jsonlRecord(sample: ExportSample): object {
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
