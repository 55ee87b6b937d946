// One file per trap: what the validator says, and that it says nothing else.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cocoValidator } from '../../src/validate/coco.ts'
import { validate } from '../../src/validate/validate.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

type Entry = Record<string, unknown>

const ANNOTATION: Entry = {
  id: 1,
  image_id: 1,
  category_id: 1,
  bbox: [48, 60, 160, 240],
  area: 38400,
  iscrowd: 0,
}
const IMAGE: Entry = { id: 1, file_name: 'a.jpg', width: 640, height: 480 }
const CATEGORY: Entry = { id: 1, name: 'dog' }

/** A sound file with changes by section; `undefined` removes one. */
function dataset(over: Entry = {}): Entry {
  const sections = { images: [IMAGE], annotations: [ANNOTATION], categories: [CATEGORY] }
  return { info: {}, licenses: [], ...sections, ...over }
}
const annotations = (...changes: Entry[]) =>
  dataset({
    annotations: changes.map((change, index) => ({ ...ANNOTATION, id: index + 1, ...change })),
  })
const box = (x: number, y: number, w: number, h: number) =>
  annotations({ bbox: [x, y, w, h], area: w * h })

async function check(...contents: readonly (object | string | Buffer)[]) {
  const folder = await temporaryFolder()
  for (const [index, content] of contents.entries()) {
    const bytes =
      typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content)
    await fs.writeFile(path.join(folder, `${index}.json`), bytes)
  }
  const target = contents.length === 1 ? path.join(folder, '0.json') : folder
  const report = await validate({
    target,
    format: { name: 'coco', dialects: [], validator: cocoValidator },
    options: {},
    readTokenizer: () => Promise.reject(new Error('no tokens in COCO')),
  })
  return { ...report, codes: report.findings.map(({ code, effect }) => `${code} ${effect}`) }
}

describe('validate coco', () => {
  it.each<[string, object]>([
    ['as the format has it', dataset()],
    [
      'with scores, phrases and spans',
      dataset({
        images: [{ ...IMAGE, caption: 'a 🐕 dog' }],
        annotations: [{ ...ANNOTATION, score: 0.7, phrase: 'dog', tokens_positive: [[4, 7]] }],
      }),
    ],
    ['with an image without boxes', dataset({ images: [IMAGE, { ...IMAGE, id: 2 }] })],
    ['with one picture twice', dataset({ images: [IMAGE, { ...IMAGE, id: 2, caption: 'other' }] })],
    [
      'with a mask and its area',
      annotations({ segmentation: [[48, 60, 208, 60, 208, 300]], area: 19200 }),
    ],
    ['rounded over the edge', box(600, 0, 40.01, 20)],
  ])('finds nothing in a file %s', async (_name, content) => {
    const { codes, isUsable } = await check(content)

    expect(codes).toEqual([])
    expect(isUsable).toBe(true)
  })

  it.each<[string, object | string | Buffer, string]>([
    ['a byte order mark', `\ufeff${JSON.stringify(dataset())}`, 'file_bom crash'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'utf8_invalid crash'],
    ['a cut file', '{"images": [', 'json_invalid crash'],
    [
      'results for a data set',
      [{ image_id: 1, category_id: 1, bbox: [0, 0, 9, 9], score: 1 }],
      'not_a_dataset crash',
    ],
    ['no categories', dataset({ categories: undefined }), 'section_missing crash'],
    ['images that are no list', dataset({ images: {} }), 'section_missing crash'],
    ['no info', dataset({ info: undefined }), 'info_missing crash'],
    ['no licenses', dataset({ licenses: undefined }), 'licenses_missing none'],
    ['no images', dataset({ images: [], annotations: [] }), 'no_images wrong'],
    ['no annotations', dataset({ annotations: [] }), 'no_annotations crash'],
    ['a number for an entry', dataset({ categories: [CATEGORY, 7] }), 'entry_not_object crash'],
    [
      'an image without a name',
      dataset({ images: [{ ...IMAGE, file_name: undefined }] }),
      'image_key_missing crash',
    ],
    ['an image id twice', dataset({ images: [IMAGE, IMAGE] }), 'image_id_duplicate wrong'],
    ['a size of 0', dataset({ images: [{ ...IMAGE, width: 0 }] }), 'image_size_invalid wrong'],
    ...['id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd'].map(
      (key): [string, object, string] => [
        `no ${key}`,
        annotations({ [key]: undefined }),
        'annotation_key_missing crash',
      ],
    ),
    ['annotation id 0', annotations({ id: 0 }), 'annotation_id_zero wrong'],
    [
      'an annotation id twice',
      annotations({}, { id: 1, bbox: [0, 0, 10, 10], area: 100 }),
      'annotation_id_duplicate wrong',
    ],
    [
      'ids that are text',
      dataset({ images: [{ ...IMAGE, id: '1' }], annotations: [{ ...ANNOTATION, image_id: '1' }] }),
      'id_string risk',
    ],
    ['an id that is a fraction', annotations({ id: 1.5 }), 'id_not_integer wrong'],
    ['an id above 2^53', annotations({ id: 2 ** 53 }), 'id_not_integer wrong'],
    ['an image that is not there', annotations({ image_id: 7 }), 'image_id_unresolved wrong'],
    [
      'a category that is not there',
      annotations({ category_id: 7 }),
      'category_id_unresolved wrong',
    ],
    [
      'a category without a name',
      dataset({ categories: [{ id: 1 }] }),
      'category_key_missing crash',
    ],
    [
      'category id 0',
      dataset({ categories: [CATEGORY, { id: 0, name: 'cat' }] }),
      'category_id_zero risk',
    ],
    [
      'a category id twice',
      dataset({ categories: [CATEGORY, { id: 1, name: 'cat' }] }),
      'category_id_duplicate wrong',
    ],
    [
      'a name twice',
      dataset({ categories: [CATEGORY, { id: 2, name: 'dog' }] }),
      'category_name_duplicate wrong',
    ],
    [
      'names that differ by case',
      dataset({ categories: [CATEGORY, { id: 2, name: 'Dog' }] }),
      'category_name_case risk',
    ],
    ['three numbers', annotations({ bbox: [1, 2, 3] }), 'bbox_shape crash'],
    ['NaN', JSON.stringify(dataset()).replace('[48', '[NaN'), 'box_not_finite wrong'],
    ['no width', box(5, 5, 0, 10), 'box_empty drop'],
    ['a negative height', box(5, 5, 10, -10), 'box_empty drop'],
    ['shares for pixels', box(0.1, 0.1, 0.5, 0.5), 'box_small drop'],
    ['a box outside', box(700, 0, 10, 10), 'box_outside drop'],
    ['a box over the edge', box(600, 0, 100, 10), 'box_over_edge risk'],
    ['x1, y1, x2, y2', box(400, 60, 500, 300), 'box_over_edge risk'],
    ['a box twice', annotations({}, {}), 'box_duplicate drop'],
    ['no area', annotations({ area: 0 }), 'area_zero drop'],
    ['an area that is another', annotations({ area: 100 }), 'area_mismatch risk'],
    ['a crowd', annotations({ iscrowd: 1 }), 'iscrowd_set drop'],
    ['a flat span', annotations({ tokens_positive: [0, 3] }), 'tokens_shape crash'],
    [
      'a span behind the caption',
      dataset({
        images: [{ ...IMAGE, caption: 'a 🐕 dog' }],
        annotations: [{ ...ANNOTATION, tokens_positive: [[5, 8]] }],
      }),
      'span_outside wrong',
    ],
  ])('finds %s', async (_name, content, expected) => {
    const { codes, findings, isUsable } = await check(content)

    expect(codes).toEqual([expected])
    expect(isUsable).toBe(!/crash|wrong$/.test(expected))
    expect(findings[0]!.places[0]).toMatchObject({ file: '0.json' })
  })

  it('says that a box may be x1, y1, x2, y2', async () => {
    const { findings } = await check(box(400, 60, 500, 300))

    expect(findings[0]!.places[0]).toEqual({
      file: '0.json',
      record: 'annotation 1',
      detail: '[400,60,500,300] in 640 x 480; it may be [x1, y1, x2, y2]',
    })
  })

  it('compares the files of a folder', async () => {
    const second = (over: Entry, id = 2) =>
      dataset({ annotations: [{ ...ANNOTATION, id }], ...over })

    const good = await check(dataset(), second({}))
    const categories = await check(dataset(), second({ categories: [{ id: 1, name: 'cat' }] }))
    const ids = await check(dataset(), second({}, 1))

    expect(good).toMatchObject({ codes: [], files: 2, records: 2 })
    expect(categories.codes).toEqual(['categories_differ wrong'])
    expect(ids.codes).toEqual(['ids_overlap risk'])
  })
})
