// The layout of MDETR and GoldG, as GLIP's ModulatedDataset and YOLO-World's mixed
// grounding read it: COCO with one entry per caption, one category, and spans on every annotation.

import { commonOptions } from '../options.ts'
import { round, type ExportRegion, type ExportSample } from '../sample.ts'
import { defineFormat } from '../writer.ts'
import { cocoFiles, type CocoEntries, type CocoIds } from './coco-file.ts'

/** Boxes with spans of the caption. */
export const goldg = defineFormat({
  name: 'goldg',
  description: 'the COCO layout of MDETR and GoldG, for GLIP and YOLO-World: boxes with spans',
  options: commonOptions,
  needsCategories: () => false,
  needsImages: false,
  createWriter: (context, options) =>
    cocoFiles(
      { ...options, ...context, categories: ['object'] },
      { info: {}, entriesOf: goldgEntries },
    ),
})

/**
 * Boxes that several phrases claim become one annotation with the spans of all, as in MDETR's files.
 *
 * @param ids counts on
 */
function goldgEntries(sample: ExportSample, ids: CocoIds): CocoEntries {
  const { fileName, width, height, caption, phrases, negatives } = sample
  const imageId = ++ids.image
  const annotations = groupByBox(sample.regions).map((regions) => {
    const [x1, y1, x2, y2] = regions[0]!.xyxy
    const [x, w] = readableSide(x1, x2, width)
    const [y, h] = readableSide(y1, y2, height)
    const spans = [...new Set(regions.map(({ phrase }) => phrase))].map(
      (phrase) => phrases[phrase]!.span,
    )
    return {
      id: ++ids.annotation,
      image_id: imageId,
      category_id: 1,
      bbox: [x, y, w, h],
      area: round(w * h, 4),
      iscrowd: 0,
      tokens_positive: spans.sort(([a, b], [c, d]) => a - c || b - d),
      score: Math.max(...regions.map(({ score }) => score)),
    }
  })
  const image = {
    id: imageId,
    file_name: fileName,
    width,
    height,
    caption,
    dataset_name: 'groundmill',
    // Anything but "coco" is text with spans to GLIP's MixedDataset.
    data_source: 'web',
    original_img_id: imageId,
    sentence_id: 0,
    ...(negatives.length === 0 ? {} : { negatives }),
  }
  return { image, annotations }
}

/** In the order of each box's first region. */
function groupByBox(regions: readonly ExportRegion[]): ExportRegion[][] {
  const groups = new Map<string, ExportRegion[]>()
  for (const region of regions) {
    const place = region.xyxy.join()
    const group = groups.get(place)
    if (group === undefined) groups.set(place, [region])
    else group.push(region)
  }
  return [...groups.values()]
}

/**
 * Start and length, at least 2 px: GLIP takes x + w - 1 for the last pixel and removes a box that ends
 * where it begins, against which MixedDataset asserts.
 */
function readableSide(low: number, high: number, limit: number): [number, number] {
  if (high - low >= 2) return [low, round(high - low, 2)]
  return [round(Math.max(0, Math.min(low, limit - 2)), 2), 2]
}
