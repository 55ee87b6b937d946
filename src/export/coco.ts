// COCO instances. Ids count from 1 through all shards: an annotation with id 0
// is taken for "unmatched" by pycocotools, and shards with ids of their own cannot be merged.

import { round, type ExportSample } from './sample.ts'

export interface CocoIds {
  /** Last id given, 0 before the first. */
  image: number
  annotation: number
}

export interface CocoEntries {
  readonly image: object
  readonly annotations: readonly object[]
}

/** @param ids counts on */
export function cocoEntries(
  sample: ExportSample,
  categoryIds: ReadonlyMap<string, number>,
  ids: CocoIds,
): CocoEntries {
  const { fileName, width, height, caption, negatives } = sample
  const imageId = ++ids.image
  return {
    image: {
      id: imageId,
      file_name: fileName,
      width,
      height,
      caption,
      ...(negatives.length === 0
        ? {}
        : { neg_category_ids: negatives.map((name) => categoryIds.get(name)!) }),
    },
    annotations: sample.regions.map(({ phrase, xyxy: [x1, y1, x2, y2], score, category }) => {
      const [w, h] = [round(x2 - x1, 2), round(y2 - y1, 2)]
      return {
        id: ++ids.annotation,
        image_id: imageId,
        category_id: categoryIds.get(category)!,
        bbox: [x1, y1, w, h],
        area: round(w * h, 4),
        iscrowd: 0,
        score,
        phrase: sample.phrases[phrase]!.text,
        tokens_positive: [sample.phrases[phrase]!.span],
      }
    }),
  }
}

export function cocoCategories(names: readonly string[]): object[] {
  return names.map((name, index) => ({ id: index + 1, name, supercategory: 'object' }))
}
