import { describe, expect, it } from 'vitest'
import { makeRow } from '../../helpers/runs.ts'
import { written } from './written.ts'

const entries = async (row: Parameters<typeof makeRow>[0]) => {
  const files = await written([makeRow(row)], { format: 'goldg' })
  return JSON.parse(files['annotations.json']!) as Record<string, object[]>
}

describe('goldg', () => {
  it('writes one entry per caption, one category, and spans', async () => {
    const { info, images, annotations, categories } = await entries({
      caption: 'a dog',
      boxes: [['a dog', 0.75, 1, 2, 30, 40]],
    })

    expect(info).not.toHaveProperty('categories_by')
    expect(images).toEqual([
      {
        ...{ id: 1, file_name: '00000/0000000000.jpg', width: 640, height: 480 },
        ...{ caption: 'a dog', dataset_name: 'groundmill', data_source: 'web' },
        ...{ original_img_id: 1, sentence_id: 0 },
      },
    ])
    expect(annotations).toEqual([
      {
        ...{ id: 1, image_id: 1, category_id: 1, bbox: [1, 2, 29, 38], area: 1102, iscrowd: 0 },
        ...{ tokens_positive: [[0, 5]], score: 0.75 },
      },
    ])
    expect(categories).toEqual([{ id: 1, name: 'object', supercategory: 'object' }])
  })

  it('joins the phrases of one box, their spans in order, with the best score', async () => {
    const place = [10, 10, 50, 50] as const
    const { annotations } = await entries({
      caption: 'a dog, a brown husky',
      phrases: ['a dog', 'a brown husky'],
      boxes: [
        ['a brown husky', 0.9, ...place],
        ['a dog', 0.6, ...place],
        ['a dog', 0.7, 200, 10, 240, 51],
      ],
    })

    // In the order of phrases, then of scores.
    expect(annotations).toMatchObject([
      { tokens_positive: [[0, 5]], score: 0.7, bbox: [200, 10, 40, 41] },
      {
        tokens_positive: [
          [0, 5],
          [7, 20],
        ],
        score: 0.9,
        bbox: [10, 10, 40, 40],
      },
    ])
  })

  it.each([
    ['inside the image', [10, 10, 11.5, 30], [10, 10, 2, 20]],
    ['at its edge', [639, 10, 640, 30], [638, 10, 2, 20]],
  ] as const)('makes a side below 2 px longer %s', async (_where, xyxy, bbox) => {
    const { annotations } = await entries({ caption: 'a dog', boxes: [['a dog', 0.9, ...xyxy]] })

    expect(annotations).toMatchObject([{ bbox }])
  })
})
