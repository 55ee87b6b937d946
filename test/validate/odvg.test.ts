// One file per trap: what the validator says, and that it says nothing else.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { ODVG_DIALECTS, type OdvgDialect } from '../../src/core/dialects.ts'
import { createTokenizer } from '../../src/teacher/bert-tokenizer.ts'
import { odvgValidator } from '../../src/validate/odvg.ts'
import { validate } from '../../src/validate/validate.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const tokenizer = createTokenizer(['[PAD]', '[UNK]', '[CLS]', '[SEP]'])
const readTokenizer = () => Promise.resolve((text: string) => tokenizer.encode(text).starts)
const format = { name: 'odvg', dialects: ODVG_DIALECTS, validator: odvgValidator }

const CAPTION = 'a brown dog chases two kites on a windy beach'
const DOG = { bbox: [48, 60, 208, 300], phrase: 'a brown dog', tokens_positive: [[0, 11]] }
const KITE = { bbox: [300, 40, 360, 110], phrase: 'two kites', tokens_positive: [[19, 28]] }
const SIZE = { height: 480, width: 640 }

const image = (regions: unknown, caption: unknown = CAPTION) => ({
  filename: 'a.jpg',
  ...SIZE,
  grounding: { caption, regions },
})
const region = (over: object) => ({ ...DOG, ...over })
/** One region whose phrase is the caption's slice, in code points. */
const spanned = (caption: string, phrase: string, start: number, end: number) =>
  image([region({ phrase, tokens_positive: [[start, end]] })], caption)
const detection = (label: unknown) => ({
  filename: 'a.jpg',
  ...SIZE,
  detection: { instances: [{ bbox: DOG.bbox, label, category: 'dog' }] },
})

interface Case {
  readonly dialect?: OdvgDialect
  readonly labels?: unknown
}

/** What a file of these lines is said to be, as `code effect`. */
async function check(
  lines: readonly (object | string | Buffer)[],
  { dialect = 'mmdet', labels }: Case = {},
) {
  const folder = await temporaryFolder()
  const target = path.join(folder, 'train.jsonl')
  const bytes = lines.map((line) =>
    Buffer.concat([
      Buffer.isBuffer(line)
        ? line
        : Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)),
      Buffer.from('\n'),
    ]),
  )
  await fs.writeFile(target, Buffer.concat(bytes))
  const labelMap = path.join(folder, 'labels.json')
  if (labels !== undefined) await fs.writeFile(labelMap, JSON.stringify(labels))
  const report = await validate({
    target,
    format,
    dialect,
    readTokenizer,
    options: labels === undefined ? {} : { 'label-map': labelMap },
  })
  const codes = report.findings.map(({ code, effect }) => `${code} ${effect}`)
  return { ...report, codes }
}

describe('validate odvg', () => {
  it.each<[string, OdvgDialect, object]>([
    ['one region per phrase', 'mmdet', image([DOG, { ...KITE, bbox: [KITE.bbox, DOG.bbox] }])],
    ['one region per box', 'open-groundingdino', image([DOG, KITE, KITE])],
    [
      'spans per word',
      'mmdet',
      image([
        region({
          tokens_positive: [
            [0, 1],
            [2, 7],
            [8, 11],
          ],
        }),
      ]),
    ],
    ['a list of phrases', 'mmdet', image([region({ phrase: ['a brown dog'] })])],
    [
      'emoji before the span',
      'mmdet',
      spanned('İstanbul 🐕 a dog'.replace('İ', 'I'), 'a dog', 11, 16),
    ],
    ['İ behind the last span', 'mmdet', spanned('a dog in İzmir', 'a dog', 0, 5)],
    ['trailing white space', 'mmdet', spanned('a dog \n', 'a dog', 0, 5)],
    ['combining marks', 'mmdet', spanned('a Cafe\u0301 table', 'a Cafe\u0301 table', 0, 13)],
    ['CJK', 'mmdet', spanned('一只棕色的狗追逐', '一只棕色的狗', 0, 6)],
    ['a box rounded over the edge', 'mmdet', image([region({ bbox: [0, 0, 640.004, 480] })])],
    [
      'no spans where they are not read',
      'tao',
      {
        file_name: 'a.jpg',
        ...SIZE,
        grounding: { caption: CAPTION, regions: [{ bbox: DOG.bbox, phrase: 'x' }] },
      },
    ],
    [
      'captions of the TAO merger',
      'tao',
      { file_name: 'a.jpg', ...SIZE, grounding: { captions: CAPTION, regions: [DOG] } },
    ],
    [
      'no size and no caption where they are not read',
      'open-groundingdino',
      { filename: 'a.jpg', grounding: { regions: [DOG] } },
    ],
  ])('finds nothing in a file with %s', async (_name, dialect, line) => {
    const { codes, isUsable, records } = await check([line], { dialect })

    expect(codes).toEqual([])
    expect({ isUsable, records }).toEqual({ isUsable: true, records: 1 })
  })

  it.each<[string, readonly (object | string | Buffer)[], string, Case?]>([
    ['no line', [], 'file_empty wrong'],
    ['a byte order mark', [`\ufeff${JSON.stringify(image([DOG]))}`], 'file_bom crash'],
    ['bytes that are no UTF-8', [Buffer.from([0x7b, 0xff, 0x7d])], 'utf8_invalid crash'],
    ['an empty line', [image([DOG]), '', image([DOG])], 'line_blank crash'],
    ['a cut line', ['{"filename": "a.jpg", "hei'], 'json_invalid crash'],
    ['a list for a record', [[1, 2]], 'record_not_object crash'],
    [
      "TAO's name key",
      [{ ...image([DOG]), filename: undefined, file_name: 'a.jpg' }],
      'filename_missing crash',
    ],
    [
      "mmdetection's name key",
      [{ file_name: 1, ...image([DOG]) }],
      'filename_missing crash',
      { dialect: 'tao' },
    ],
    ['no size', [{ ...image([DOG]), height: undefined }], 'size_missing crash'],
    ['a size of 0', [{ ...image([DOG]), width: 0 }], 'size_invalid wrong'],
    ['a detection without a label map', [detection(0)], 'variant_missing crash'],
    [
      'a grounding with a label map',
      [image([DOG])],
      'variant_missing crash',
      { labels: { 0: 'dog' } },
    ],
    ['no caption', [image([DOG], null)], 'caption_missing crash'],
    [
      'a blank caption',
      [{ file_name: 'a.jpg', ...image([DOG], ' ') }],
      'caption_blank wrong',
      { dialect: 'tao' },
    ],
    [
      'white space before the caption',
      [spanned('  a dog', 'a dog', 2, 7)],
      'caption_outer_space wrong',
    ],
    [
      'a separator that only Python strips',
      [spanned('\x1fa dog', 'a dog', 1, 6)],
      'caption_outer_space wrong',
    ],
    ['İ before a span', [spanned('İzmir, a dog', 'a dog', 7, 12)], 'caption_lower_length wrong'],
    ['UTF-16 spans', [spanned('a 🐕 and a dog', 'a dog', 9, 14)], 'span_utf16 wrong'],
    ['a span of other words', [spanned(CAPTION, 'two kites', 0, 11)], 'span_not_phrase wrong'],
    ['a span that is cut', [spanned(CAPTION, 'a brown dog', 0, 10)], 'span_not_phrase wrong'],
    ['a span behind the caption', [spanned('a dog', 'a cat', 0, 9)], 'span_outside wrong'],
    ['an empty span', [spanned('a dog', 'a dog', 3, 3)], 'span_outside wrong'],
    ['no span', [image([region({ tokens_positive: undefined })])], 'tokens_missing crash'],
    ['an empty list of spans', [image([region({ tokens_positive: [] })])], 'tokens_shape crash'],
    ['a flat span', [image([region({ tokens_positive: [0, 11] })])], 'tokens_shape crash'],
    [
      'a span of fractions',
      [image([region({ tokens_positive: [[0, 11.5]] })])],
      'tokens_shape crash',
    ],
    [
      'a phrase behind the 256th token',
      [spanned(`${'word '.repeat(254)}a dog`, 'a dog', 1270, 1275)],
      'text_too_long wrong',
    ],
    [
      'too many phrases',
      [
        image(
          Array.from({ length: 128 }, (_, i) =>
            region({ phrase: `${String.fromCharCode(0x4e00 + i)}` }),
          ),
        ),
      ],
      'text_too_long wrong',
      { dialect: 'open-groundingdino' },
    ],
    ['no regions', [image(undefined)], 'regions_missing crash'],
    ['empty regions, mmdet', [image([])], 'regions_empty none'],
    [
      'empty regions, Open-GroundingDino',
      [image([])],
      'regions_empty crash',
      { dialect: 'open-groundingdino' },
    ],
    ['no phrase', [image([region({ phrase: undefined })])], 'phrase_missing crash'],
    [
      'a list of phrases',
      [image([region({ phrase: ['a dog'] })])],
      'phrase_not_string crash',
      { dialect: 'open-groundingdino' },
    ],
    [
      'an empty phrase',
      [image([region({ phrase: '' })])],
      'phrase_blank wrong',
      { dialect: 'open-groundingdino' },
    ],
    [
      'a phrase inside another',
      [image([region({ phrase: 'dog' }), region({ phrase: 'hot dog' })])],
      'phrase_substring risk',
      { dialect: 'open-groundingdino' },
    ],
    ['no box', [image([region({ bbox: undefined })])], 'bbox_missing crash'],
    ['an empty box', [image([region({ bbox: [] })])], 'bbox_shape crash'],
    ['three numbers', [image([region({ bbox: [1, 2, 3] })])], 'bbox_shape crash'],
    ['numbers as text', [image([region({ bbox: ['1', '2', '30', '40'] })])], 'bbox_shape crash'],
    [
      'a list of boxes, Open-GroundingDino',
      [image([region({ bbox: [DOG.bbox] })])],
      'bbox_nested wrong',
      { dialect: 'open-groundingdino' },
    ],
    ['NaN, mmdet', [JSON.stringify(image([DOG])).replace('[48', '[NaN')], 'box_not_finite wrong'],
    [
      'Infinity, Open-GroundingDino',
      [JSON.stringify(image([DOG])).replace('208', 'Infinity')],
      'box_not_finite crash',
      { dialect: 'open-groundingdino' },
    ],
    ['x, y, w, h, mmdet', [image([region({ bbox: [300, 40, 60, 70] })])], 'box_reversed drop'],
    [
      'x, y, w, h, Open-GroundingDino',
      [image([region({ bbox: [300, 40, 60, 70] })])],
      'box_reversed crash',
      { dialect: 'open-groundingdino' },
    ],
    [
      'a box without width, Open-GroundingDino',
      [image([region({ bbox: [300, 40, 300, 70] })])],
      'box_reversed crash',
      { dialect: 'open-groundingdino' },
    ],
    ['shares for pixels', [image([region({ bbox: [0.1, 0.1, 0.5, 0.7] })])], 'box_small drop'],
    [
      'shares for pixels, Open-GroundingDino',
      [image([region({ bbox: [0.1, 0.1, 0.5, 0.7] })])],
      'box_small none',
      { dialect: 'open-groundingdino' },
    ],
    ['a box outside, mmdet', [image([region({ bbox: [640, 0, 700, 50] })])], 'box_outside drop'],
    [
      'a box outside, Open-GroundingDino',
      [image([region({ bbox: [640, 0, 700, 50] })])],
      'box_outside wrong',
      { dialect: 'open-groundingdino' },
    ],
    ['a box over the edge', [image([region({ bbox: [600, 0, 700, 50] })])], 'box_over_edge none'],
    [
      'a label that is no number',
      [detection('dog')],
      'label_invalid crash',
      { labels: { 0: 'dog' } },
    ],
    ['a label that the map lacks', [detection(7)], 'label_unknown crash', { labels: { 0: 'dog' } }],
    [
      'no instances',
      [{ filename: 'a.jpg', ...SIZE, detection: {} }],
      'regions_missing crash',
      { labels: { 0: 'dog' } },
    ],
    [
      'a map that is a list of numbers',
      [{ filename: 'a.jpg', ...SIZE, detection: { instances: [] } }],
      'label_map_invalid crash',
      { labels: [1] },
    ],
    [
      'a map with names for keys',
      [detection('0')],
      'label_map_keys crash',
      { labels: { 0: 'dog', dog: 'dog' } },
    ],
    ['a map from 1', [detection(1)], 'label_map_keys crash', { labels: { 1: 'dog' } }],
    [
      'alternatives in a name',
      [detection(0)],
      'label_map_names risk',
      { labels: { 0: 'dog/hound' } },
    ],
    [
      'a name inside another',
      [detection(0)],
      'label_map_names risk',
      { labels: { 0: 'dog', 1: 'hot dog' }, dialect: 'open-groundingdino' },
    ],
  ])('finds %s', async (_name, lines, expected, options) => {
    const { codes, findings, isUsable } = await check(lines, options)

    expect(codes).toEqual([expected])
    const isError = /crash|wrong$/.test(expected)
    expect(isUsable).toBe(!isError)
    expect(findings[0]).toMatchObject({
      level: isError ? 'error' : 'warning',
      places: [{ file: expect.stringMatching(/train\.jsonl|labels\.json/) as string }],
    })
    expect(findings[0]!.loader).not.toBe('')
    expect(findings[0]!.advice).not.toBe('')
  })

  it('says where, and counts what it does not list', async () => {
    const bad = image([DOG, region({ bbox: [1, 2, 3] })])
    const lines = [image([DOG]), ...Array.from({ length: 30 }, () => bad)]

    const { findings, records } = await check(lines)

    expect(records).toBe(31)
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ code: 'bbox_shape', count: 30 })
    expect(findings[0]!.places).toHaveLength(5)
    expect(findings[0]!.places[0]).toEqual({
      file: 'train.jsonl',
      line: 2,
      record: 'regions[1]',
      detail: '[1,2,3]',
    })
  })

  it('reads lines longer than a chunk of the file', async () => {
    const caption = `a dog ${'x'.repeat(300_000)}`

    const { codes, records } = await check([
      spanned(caption, 'a dog', 0, 5),
      spanned(caption, 'a cat', 0, 5),
    ])

    expect(records).toBe(2)
    expect(codes).toEqual(['span_not_phrase wrong'])
  })

  it('takes a last line without an end', async () => {
    const folder = await temporaryFolder()
    const target = path.join(folder, 'a.jsonl')
    await fs.writeFile(target, JSON.stringify(image([DOG])))

    const report = await validate({ target, format, options: {}, readTokenizer })

    expect(report).toMatchObject({ records: 1, findings: [], dialect: 'mmdet' })
  })
})
