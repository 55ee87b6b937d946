import { describe, expect, it } from 'vitest'
import { makeRow } from '../../helpers/runs.ts'
import { written } from './written.ts'

const ROW = makeRow({
  caption: 'a 🐕 dog and two kites',
  phrases: ['a 🐕 dog/dog', 'two kites/kites/kite', 'dog'],
  boxes: [
    ['a 🐕 dog', 0.75, 1, 2, 30.126, 40],
    ['two kites', 0.9, 100, 100, 150, 150],
    ['two kites', 0.8, 200, 100, 250, 150],
  ],
})
const CAPTION = '"caption":"a 🐕 dog and two kites"'
const SIZE = '"height":480,"width":640'

async function annotations(spec: Parameters<typeof written>[1]) {
  const { 'annotations.jsonl': text, ...others } = await written([ROW], spec)
  return { text, others }
}

describe('odvg', () => {
  it('gives mmdetection one region per phrase, with its boxes', async () => {
    const { text } = await annotations({ dialect: 'mmdet' })

    expect(text).toBe(
      `{"filename":"00000/0000000000.jpg",${SIZE},"grounding":{${CAPTION},"regions":[` +
        '{"bbox":[1,2,30.13,40],"phrase":"a 🐕 dog","tokens_positive":[[0,7]],"score":0.75},' +
        '{"bbox":[[100,100,150,150],[200,100,250,150]],"phrase":"two kites",' +
        '"tokens_positive":[[12,21]],"score":[0.9,0.8]}]}}\n',
    )
  })

  it.each([
    ['open-groundingdino', 'filename'],
    ['tao', 'file_name'],
  ])('gives %s one region per box', async (dialect, key) => {
    const { text } = await annotations({ dialect })

    expect(text).toBe(
      `{"${key}":"00000/0000000000.jpg",${SIZE},"grounding":{${CAPTION},"regions":[` +
        '{"bbox":[1,2,30.13,40],"phrase":"a 🐕 dog","tokens_positive":[[0,7]],"score":0.75},' +
        '{"bbox":[100,100,150,150],"phrase":"two kites","tokens_positive":[[12,21]],"score":0.9},' +
        '{"bbox":[200,100,250,150],"phrase":"two kites","tokens_positive":[[12,21]],"score":0.8}]}}\n',
    )
  })

  it('writes detections with a map of their labels, which count from 0', async () => {
    const { text, others } = await annotations({ options: { variant: 'detection' } })

    expect(text).toBe(
      `{"filename":"00000/0000000000.jpg",${SIZE},"detection":{"instances":[` +
        '{"bbox":[1,2,30.13,40],"label":0,"category":"dog","score":0.75},' +
        '{"bbox":[100,100,150,150],"label":1,"category":"kite","score":0.9},' +
        '{"bbox":[200,100,250,150],"label":1,"category":"kite","score":0.8}]}}\n',
    )
    expect(others).toEqual({ 'dropped.jsonl': '', 'label_map.json': '{"0":"dog","1":"kite"}\n' })
  })

  it('puts absent names behind the rest', async () => {
    const yak = makeRow({ row: 1, caption: 'a yak', boxes: [['a yak', 0.9, 0, 0, 9, 9]] })

    const files = await written([ROW, yak], { options: { negatives: { perImage: 1 } } })

    const [first] = files['annotations.jsonl']!.split('\n')
    expect(first).toMatch(/\]\},"negatives":\["yak"\]\}$/)
  })

  it('keeps one label map for the shards of an export', async () => {
    const rows = ['a cat', 'a dog', 'an ape'].map((caption, row) =>
      makeRow({ row, caption, boxes: [[caption, 0.9, 0, 0, 9, 9]] }),
    )

    const files = await written(rows, { options: { variant: 'detection', layout: 'sharded' } })

    expect(Object.keys(files)).toEqual([
      'annotations/00000.jsonl',
      'annotations/00001.jsonl',
      'dropped.jsonl',
      'label_map.json',
    ])
    expect(files['label_map.json']).toBe('{"0":"ape","1":"cat","2":"dog"}\n')
    expect(files['annotations/00001.jsonl']).toContain('"label":0,"category":"ape"')
  })
})
