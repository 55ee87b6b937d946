// Where a finding is said to be, and of what; odvg.test.ts has one file per kind of trouble.

import { describe, expect, it } from 'vitest'
import type { OdvgDialect } from '../../src/core/dialects.ts'
import { FileFindings, Spot } from '../../src/validate/findings.ts'
import { checkRecord } from '../../src/validate/odvg-record.ts'
import { odvgRules } from '../../src/validate/odvg-rules.ts'

interface How {
  readonly dialect?: OdvgDialect
  readonly labels?: Readonly<Record<string, string>>
}

/** Findings as "code place: detail"; a token is a word. */
function check(record: unknown, { dialect = 'mmdet', labels }: How = {}): string[] {
  const findings = new FileFindings(odvgRules(dialect))
  const tokenStarts = (text: string) => [...text.matchAll(/\S+/g)].map(({ index }) => index)
  const spot = new Spot(findings, { file: 'a.jsonl', line: 1 })
  checkRecord(record, { dialect, tokenStarts, labels, spot })
  return findings
    .list()
    .flatMap(({ code, places }) =>
      places.map(
        ({ record: at, detail }) => `${code}${at === undefined ? '' : ` ${at}`}: ${detail}`,
      ),
    )
}

const BOX = [10, 20, 30, 40]
const DOG = { bbox: BOX, phrase: 'a dog', tokens_positive: [[0, 5]] }
const image = (regions: unknown, over: object = {}) => ({
  filename: 'a.jpg',
  width: 100,
  height: 50,
  grounding: { caption: 'a dog and a kite', regions },
  ...over,
})
const detections = (...instances: unknown[]) => image([], { detection: { instances } })

describe('checkRecord', () => {
  it.each<[OdvgDialect, object]>([
    ['mmdet', image([DOG, { ...DOG, bbox: [BOX, BOX] }])],
    ['open-groundingdino', image([{ bbox: BOX, phrase: 'a dog' }], { width: undefined })],
    ['tao', image([{ bbox: BOX, phrase: 'a dog' }], { file_name: 'a.jpg' })],
  ])('finds nothing in what %s reads', (dialect, record) => {
    expect(check(record, { dialect })).toEqual([])
  })

  it('finds the region, and the box in it', () => {
    const boxes = [BOX, [30, 20, 10, 40], [0, 0, 200, 40]]

    expect(check(image([DOG, 7, { ...DOG, bbox: boxes }, { ...DOG, bbox: [1, 2] }]))).toEqual([
      'bbox_missing regions[1]: 7',
      'bbox_shape regions[3]: [1,2]',
      'box_reversed regions[2].bbox[1]: [30,20,10,40] in 100 x 50',
      'box_over_edge regions[2].bbox[2]: [0,0,200,40] in 100 x 50',
    ])
  })

  it('names the key that is there in place of the one that is read', () => {
    const { filename, ...record } = image([DOG])

    expect(check({ ...record, file_name: filename })).toEqual([
      'filename_missing: no "filename", but "file_name"',
    ])
    expect(check(image([DOG]), { dialect: 'tao' })).toEqual([
      'filename_missing: no "file_name", but "filename"',
    ])
    expect(check(image([DOG]), { labels: { 0: 'dog' } })).toEqual([
      'variant_missing: no "detection", but "grounding"',
    ])
  })

  it('says nothing of what the loader does not read', () => {
    const region = { bbox: BOX, phrase: 'a dog', tokens_positive: 'none' }

    expect(check(image([region], { width: 'wide' }), { dialect: 'open-groundingdino' })).toEqual([])
    expect(check(image([region], { width: 'wide' }))).toEqual([
      'size_invalid: width "wide", height 50',
      'tokens_shape regions[0]: "none"',
    ])
  })

  it.each([
    // Two decimals of rounding.
    [[0, 0, 100.01, 50.01], []],
    [[-0.01, 0, 100, 50], []],
    [[0, 0, 100.02, 50], ['box_over_edge regions[0]: [0,0,100.02,50] in 100 x 50']],
    [[100, 0, 120, 50], ['box_outside regions[0]: [100,0,120,50] in 100 x 50']],
    [[5, 5, 5.5, 50], ['box_small regions[0]: [5,5,5.5,50] in 100 x 50']],
    [[5, 5, 6, 6], []],
    [[0, 0, Infinity, 50], ['box_not_finite regions[0]: [0, 0, Infinity, 50]']],
  ])('box %j: %j', (bbox, found) => {
    expect(check(image([{ ...DOG, bbox }]))).toEqual(found)
  })

  it('says what the span is in the text that the loader makes', () => {
    const caption = ' A Dog and 🐕 dogs'
    const span = (phrase: string, start: number, end: number) => {
      const regions = [{ bbox: BOX, phrase, tokens_positive: [[start, end]] }]
      return check(image([], { grounding: { caption, regions } }))
    }

    expect(span('a dog', 0, 5)).toEqual([])
    expect(span('a dog', 1, 6)).toEqual([
      'caption_outer_space regions[0]: [[1,6]] is " dog ", phrase "a dog"',
    ])
    expect(span('a cat', 0, 5)).toEqual([
      'span_not_phrase regions[0]: [[0,5]] is "a dog", phrase "a cat"',
    ])
    expect(span('dogs', 90, 94)).toEqual([
      'span_outside regions[0]: [[90,94]] is "outside", phrase "dogs"',
    ])
  })

  it('finds instances and labels that are not in the map', () => {
    const labels = { 0: 'dog' }
    const instances = [0, '0', 1, '1', 'dog', -1, 1.5].map((label) => ({ bbox: BOX, label }))

    expect(check(detections(...instances, { label: 0 }), { labels })).toEqual([
      'label_unknown instances[2]: label 1',
      'label_unknown instances[3]: label "1"',
      'label_unknown instances[5]: label -1',
      'label_invalid instances[4]: "dog"',
      'label_invalid instances[6]: 1.5',
      'bbox_missing instances[7]: {"label":0}',
    ])
    expect(check(image([], { detection: {} }), { labels })).toEqual([
      'regions_missing instances: nothing',
    ])
  })
})
