import { describe, expect, it } from 'vitest'
import { VERSION } from '../../../src/version.ts'
import { makeRow } from '../../helpers/runs.ts'
import { written } from './written.ts'

const ROWS = [
  makeRow({
    row: 0,
    caption: 'a dog and two kites',
    phrases: ['a dog', 'two kites/kites/kite'],
    boxes: [
      ['a dog', 0.75, 1, 2, 30.126, 40],
      ['two kites', 0.9, 100, 100, 150, 150],
    ],
  }),
  makeRow({ row: 1, caption: 'a yak', boxes: [['a yak', 0.6, 5, 5, 15, 25]] }),
  makeRow({ row: 2, caption: 'a kite', boxes: [['a kite', 0.7, 0, 0, 10, 10]] }),
]

describe('coco', () => {
  it('writes instances whose ids count from 1', async () => {
    const files = await written(ROWS.slice(0, 2), { format: 'coco' })

    expect(files['annotations.json']).toMatch(
      new RegExp(
        `^{"info": {"description":"pseudo-labels of toy-0123, run [0-9a-f]{16}","version":"${VERSION}",` +
          '"categories_by":"head","box_supervision":true}, "licenses": \\[\\],\\n',
      ),
    )
    expect(files['annotations.json']!.split('\n').slice(1)).toEqual([
      '"images": [',
      '{"id":1,"file_name":"00000/0000000000.jpg","width":640,"height":480,"caption":"a dog and two kites"},',
      '{"id":2,"file_name":"00000/0000000001.jpg","width":640,"height":480,"caption":"a yak"}',
      '],',
      '"annotations": [',
      '{"id":1,"image_id":1,"category_id":1,"bbox":[1,2,29.13,38],"area":1106.94,"iscrowd":0,' +
        '"score":0.75,"phrase":"a dog","tokens_positive":[[0,5]]},',
      '{"id":2,"image_id":1,"category_id":2,"bbox":[100,100,50,50],"area":2500,"iscrowd":0,' +
        '"score":0.9,"phrase":"two kites","tokens_positive":[[10,19]]},',
      '{"id":3,"image_id":2,"category_id":3,"bbox":[5,5,10,20],"area":200,"iscrowd":0,' +
        '"score":0.6,"phrase":"a yak","tokens_positive":[[0,5]]}',
      '],',
      '"categories": [{"id":1,"name":"dog","supercategory":"object"},' +
        '{"id":2,"name":"kite","supercategory":"object"},' +
        '{"id":3,"name":"yak","supercategory":"object"}]}',
      '',
    ])
  })

  it('counts ids on through the shards and leaves no file of its own making', async () => {
    const files = await written(ROWS, { format: 'coco', options: { layout: 'sharded' } })

    expect(Object.keys(files)).toEqual([
      'annotations/00000.json',
      'annotations/00001.json',
      'dropped.jsonl',
    ])
    const second = JSON.parse(files['annotations/00001.json']!) as Record<string, unknown>
    expect(second).toMatchObject({
      images: [{ id: 3 }],
      annotations: [{ id: 4, image_id: 3, category_id: 2 }],
    })
  })

  it('names absent categories by their ids, as LVIS does', async () => {
    const options = { negatives: { perImage: 2 } }
    const files = await written(ROWS, { format: 'coco', options })

    const { images } = JSON.parse(files['annotations.json']!) as { images: object[] }
    expect(images.slice(1)).toMatchObject([
      { neg_category_ids: [1, 2] },
      { neg_category_ids: [1, 3] },
    ])
  })
})
