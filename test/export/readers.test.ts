// Exports through pycocotools and through readers that behave as the trainers' loaders do.

import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { findPython, runPython } from '../helpers/python.ts'
import { exportTo, filesOf, readJson, type ExportSpec } from '../helpers/exports.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROWS = [
  makeRow({
    row: 0,
    phrases: ['a brown dog', 'two kites/kites/kite', 'a windy beach'],
    boxes: [
      ['a brown dog', 0.9, 48, 60, 208, 300],
      ['two kites', 0.8, 300, 40, 360, 110],
      ['two kites', 0.7, 420.5, 30, 470, 95.5],
    ],
  }),
  makeRow({
    row: 1,
    caption: '  İzmir 🐕: a dog 🪁 and a Cafe\u0301 table, 一只棕色的狗 ',
    phrases: ['a dog', 'a Cafe\u0301 table', '一只棕色的狗/狗'],
    boxes: [
      ['a dog', 0.9, 0, 0, 640, 480],
      ['a Cafe\u0301 table', 0.6, 10.126, 20.333, 30.666, 40.999],
      ['一只棕色的狗', 0.55, 600, 400, 700, 500],
    ],
  }),
  makeRow({ row: 2, caption: 'a cat', boxes: [['a cat', 0.1, 0, 0, 50, 50]] }),
  makeRow({
    row: 3,
    caption: 'a hot dog and a dog and a dog.',
    phrases: ['a hot dog', 'a dog'],
    boxes: [
      ['a hot dog', 0.9, 5, 5, 100, 100],
      ['a dog', 0.8, 200, 5, 300, 100],
      ['a dog', 0.75, 400, 5, 500, 100],
    ],
  }),
]

/** Phrases of the regions, one per box, as Python sees them. */
const NAMES = [
  ['a brown dog', 'two kites', 'two kites'],
  ['a dog', 'a cafe\u0301 table', '一只棕色的狗'],
  ['a hot dog', 'a dog', 'a dog'],
]

async function exported(spec: ExportSpec, samplesPerShard = 4): Promise<string> {
  const folder = await temporaryFolder()
  const runDir = await makeRun(folder, { rows: ROWS, samplesPerShard })
  const to = path.join(folder, 'export')
  await exportTo(runDir, to, spec)
  return to
}

const PYTHON = findPython('numpy', 'pycocotools')

async function read(...args: string[]): Promise<unknown> {
  return JSON.parse(await runPython(PYTHON!, 'test/export/readers.py', ...args))
}

describe.skipIf(PYTHON === undefined)('a COCO export', () => {
  interface Coco {
    readonly ap: number
    readonly images: {
      readonly slices: string[]
      readonly phrases: string[]
      readonly categories: string[]
      readonly ids: number[]
    }[]
    readonly categories: Record<string, string>
  }

  it.each(['phrase', 'head'] as const)(
    'by %s scores 1.0 against itself in pycocotools',
    async (by) => {
      const to = await exported({ format: 'coco', options: { categories: { by } } })

      const coco = (await read('coco', path.join(to, 'annotations.json'))) as Coco

      expect(coco.ap).toBe(1)
    },
  )

  it('has spans that are the phrases, categories by policy, and ids from 1', async () => {
    const to = await exported({ format: 'coco' })

    const coco = (await read('coco', path.join(to, 'annotations.json'))) as Coco

    expect(coco.ap).toBe(1)
    const { images } = coco
    expect(images.map(({ phrases }) => phrases.map((one) => one.toLowerCase()))).toEqual(NAMES)
    expect(images.map(({ slices }) => slices)).toEqual(images.map(({ phrases }) => phrases))
    expect(images.map(({ categories }) => categories)).toEqual([
      ['dog', 'kite', 'kite'],
      ['dog', 'table', '狗'],
      ['dog', 'dog', 'dog'],
    ])
    expect(images.flatMap(({ ids }) => ids)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(coco.categories).toEqual({ 1: 'dog', 2: 'kite', 3: 'table', 4: '狗' })
  })

  it('in shards scores 1.0 in each, with ids and categories that can be merged', async () => {
    const to = await exported({ format: 'coco', options: { layout: 'sharded' } }, 1)
    const names = (await filesOf(to)).filter((name) => name.startsWith('annotations/'))

    const shards: Coco[] = []
    for (const name of names) shards.push((await read('coco', path.join(to, name))) as Coco)

    expect(names).toEqual([
      'annotations/00000.json',
      'annotations/00001.json',
      'annotations/00003.json',
    ])
    expect(shards.map(({ ap }) => ap)).toEqual([1, 1, 1])
    expect(shards.flatMap(({ images }) => images.flatMap(({ ids }) => ids))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9,
    ])
    expect(shards[1]!.categories).toEqual(shards[0]!.categories)
  })
})

describe.skipIf(PYTHON === undefined)('an ODVG export', () => {
  interface Image {
    readonly file_name: string
    readonly names: string[]
    readonly boxes: number[][]
  }
  const BOXES = [
    [
      [48, 60, 208, 300],
      [300, 40, 360, 110],
      [420.5, 30, 470, 95.5],
    ],
    [
      [0, 0, 640, 480],
      [10.13, 20.33, 30.67, 41],
      [600, 400, 640, 480],
    ],
    [
      [5, 5, 100, 100],
      [200, 5, 300, 100],
      [400, 5, 500, 100],
    ],
  ]

  it('for mmdet grounds every box on the words of its phrase', async () => {
    const to = await exported({ dialect: 'mmdet' })

    const images = (await read('mmdet', path.join(to, 'annotations.jsonl'))) as Image[]

    expect(images.map(({ names }) => names)).toEqual(NAMES)
    expect(images.map(({ boxes }) => boxes)).toEqual(BOXES)
    expect(images[0]!.file_name).toBe('00000/0000000000.jpg')
  })

  it('for Open-GroundingDino has every phrase found in its joined prompt', async () => {
    const to = await exported({
      dialect: 'open-groundingdino',
      filter: { nested: 'text' },
    })

    const file = path.join(to, 'annotations.jsonl')
    const images = (await read('open-groundingdino', file)) as Image[]

    const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase())
    expect(images.map(({ names }) => lower(names))).toEqual(NAMES)
    expect(images.map(({ boxes }) => boxes)).toEqual(BOXES)
  })

  it('for TAO has its keys', async () => {
    const to = await exported({ dialect: 'tao' })

    const images = (await read('tao', path.join(to, 'annotations.jsonl'))) as Image[]

    expect(images.map(({ boxes }) => boxes)).toEqual(BOXES)
    expect(images[0]).toMatchObject({
      file_name: '00000/0000000000.jpg',
      caption: 'a brown dog chases two kites on a windy beach',
      names: ['a brown dog', 'two kites', 'two kites'],
    })
  })

  it.each(['mmdet', 'open-groundingdino'] as const)(
    'of detections for %s comes with its label map',
    async (dialect) => {
      const to = await exported({ dialect, options: { variant: 'detection' } })

      const images = (await read(
        dialect,
        path.join(to, 'annotations.jsonl'),
        path.join(to, 'label_map.json'),
      )) as Image[]

      expect(images.map(({ names }) => names)).toEqual([
        ['dog', 'kite', 'kite'],
        ['dog', 'table', '狗'],
        ['dog', 'dog', 'dog'],
      ])
      expect(images.map(({ boxes }) => boxes)).toEqual(BOXES)
    },
  )
})

describe.skipIf(PYTHON === undefined)('a GoldG export', () => {
  interface Image {
    readonly names: string[]
    readonly boxes: number[][]
  }

  it('has every box on the words of its phrase, and none that GLIP would remove', async () => {
    const to = await exported({ format: 'goldg' })

    const images = (await read('goldg', path.join(to, 'annotations.json'))) as Image[]

    expect(images.map(({ names }) => names.map((name) => name.toLowerCase()))).toEqual(NAMES)
    expect(images[0]!.boxes[0]).toEqual([48, 60, 207, 299])
  })

  it('joins the spans of phrases that claim one box, and keeps thin boxes', async () => {
    const folder = await temporaryFolder()
    const row = makeRow({
      boxes: [
        ['two kites', 0.7, 10, 10, 50, 50],
        ['a brown dog', 0.9, 10, 10, 50, 50],
        ['a windy beach', 0.8, 639, 0, 640, 480],
      ],
    })
    const runDir = await makeRun(folder, { rows: [row] })
    await exportTo(runDir, path.join(folder, 'goldg'), { format: 'goldg' })

    const file = path.join(folder, 'goldg/annotations.json')
    const [image] = (await read('goldg', file)) as Image[]
    const { annotations } = await readJson(file)

    expect(image!.names).toEqual(['a brown dog two kites', 'a windy beach'])
    expect(annotations).toMatchObject([
      {
        score: 0.9,
        bbox: [10, 10, 40, 40],
        tokens_positive: [
          [0, 11],
          [19, 28],
        ],
      },
      { score: 0.8, bbox: [638, 0, 2, 480], tokens_positive: [[32, 45]] },
    ])
  })
})
