// COCO instances. Ids count from 1: an annotation with id 0 is taken for "unmatched" by pycocotools.

import { cocoValidator } from '../../validate/coco.ts'
import { commonOptions } from '../options.ts'
import { round, type ExportSample } from '../sample.ts'
import { defineFormat } from '../writer.ts'
import { cocoFiles, type CocoEntries, type CocoIds } from './coco-file.ts'

/** Boxes with categories; phrases and spans are there as well, for readers that look for them. */
export const coco = defineFormat({
  name: 'coco',
  description: 'COCO instances: one JSON of images, boxes and categories',
  options: commonOptions,
  needsCategories: () => true,
  needsImages: false,
  createWriter({ folder, manifest, categories }, { layout, boxSupervision, categories: { by } }) {
    const file = { folder, manifest, categories, layout, boxSupervision }
    return cocoFiles(file, { info: { categories_by: by }, entriesOf: cocoEntries })
  },
  validator: cocoValidator,
})

/** @param ids counts on */
function cocoEntries(sample: ExportSample, ids: CocoIds): CocoEntries {
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
        : { neg_category_ids: negatives.map((name) => ids.categories.get(name)!) }),
    },
    annotations: sample.regions.map(({ phrase, xyxy: [x1, y1, x2, y2], score, category }) => {
      const [w, h] = [round(x2 - x1, 2), round(y2 - y1, 2)]
      return {
        id: ++ids.annotation,
        image_id: imageId,
        category_id: ids.categories.get(category)!,
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
