// The recipes of configs/: they load, and their filters do what their publications say.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, type Config } from '../../src/config.ts'
import type { GroundingRow } from '../../src/core/types.ts'
import { filterRun } from '../../src/filter/filter-run.ts'
import { makeRow } from '../helpers/runs.ts'

const recipe = (name: string) =>
  loadConfig(`configs/${name}.yaml`, ['source.files=captions.parquet'])

/** Kept regions of each row as `phrase score`, or the row's number and why it goes. */
async function outcomes({ filter, balance }: Config, rows: readonly GroundingRow[]) {
  async function* rowsOf() {
    yield* rows
  }
  const filtered = await filterRun(rowsOf, filter, balance, 0.5)
  const all: (string | string[])[] = []
  for await (const outcome of filtered.outcomes()) {
    all.push(
      'dropped' in outcome
        ? outcome.dropped
        : outcome.regions.map(
            ({ phrase, score }) => `${outcome.row.phrases[phrase]!.text} ${score.toFixed(2)}`,
          ),
    )
  }
  return all
}

const DOG = [48, 60, 208, 300] as const
const NEAR_DOG = [50, 60, 208, 300] as const
const KITE = [300, 40, 360, 110] as const

describe('configs/', () => {
  it('all load and open with a purpose, and the recipes with source and command', async () => {
    const names = (await fs.readdir('configs')).filter((name) => name.endsWith('.yaml'))

    expect(names.map((name) => path.basename(name, '.yaml'))).toEqual(
      expect.arrayContaining(['demo', 'glip-cap', 'grit', 'mmgdino-grit', 'owl-st']),
    )
    for (const name of names) {
      await expect(loadConfig(`configs/${name}`, ['source.files=a.parquet'])).resolves.toBeDefined()
      const text = await fs.readFile(`configs/${name}`, 'utf8')
      expect(text).toMatch(/^# [A-Z]/)
      expect(text).toContain('groundmill run configs/')
      if (name !== 'demo.yaml') expect(text).toMatch(/^# Published in .*arXiv/m)
    }
  })
})

describe('glip-cap', () => {
  it('keeps every box of the detector above 0.5', async () => {
    const config = await recipe('glip-cap')
    const rows = [
      makeRow({
        row: 0,
        phrases: ['a brown dog', 'two kites'],
        boxes: [
          ['a brown dog', 0.9, ...DOG],
          ['a brown dog', 0.5, ...NEAR_DOG],
          ['two kites', 0.49, ...KITE],
        ],
      }),
      makeRow({ row: 1, boxes: [['two kites', 0.49, ...KITE]] }),
    ]

    expect(config.phrases).toMatchObject({ extractor: 'glip-nltk', abstract: 'keep' })
    expect(config.prompt).toMatchObject({ mode: 'caption', maxTokens: 256, overflow: 'truncate' })
    expect(await outcomes(config, rows)).toEqual([
      ['a brown dog 0.90', 'a brown dog 0.50'],
      'too_few_boxes',
    ])
  })
})

describe('grit', () => {
  it('keeps boxes from 0.65, one per place, and no expression inside another', async () => {
    const config = await recipe('grit')
    const caption = 'a dog on a beach and a kite'
    const row = makeRow({
      caption,
      phrases: ['a dog on a beach/dog', 'a beach', 'a kite'],
      boxes: [
        ['a dog on a beach', 0.9, ...DOG],
        ['a beach', 0.7, 0, 300, 640, 480],
        ['a kite', 0.8, ...NEAR_DOG],
        ['a kite', 0.65, ...KITE],
        ['a kite', 0.64, 500, 400, 600, 470],
      ],
    })
    // "a beach" is the one in the expression.
    const phrases = row.phrases.map((one) =>
      one.text === 'a beach' ? { ...one, start: 9, end: 16 } : one,
    )

    expect(config.phrases).toMatchObject({ abstract: 'drop', expand: 'grit' })
    expect(await outcomes(config, [{ ...row, phrases }])).toEqual([
      ['a dog on a beach 0.90', 'a kite 0.65'],
    ])
  })
})

describe('owl-st', () => {
  it('keeps boxes from 0.1 of images that have one from 0.3, each with its best query', async () => {
    const config = await recipe('owl-st')
    const rows = [
      makeRow({
        row: 0,
        phrases: ['a brown dog', 'two kites'],
        boxes: [
          ['a brown dog', 0.31, ...DOG],
          ['two kites', 0.3, ...DOG],
          ['a brown dog', 0.11, ...NEAR_DOG],
          ['two kites', 0.1, ...KITE],
          ['two kites', 0.09, 400, 40, 460, 110],
        ],
      }),
      makeRow({ row: 1, boxes: [['a brown dog', 0.29, ...DOG]] }),
    ]

    expect(config.phrases).toMatchObject({
      extractor: 'ngrams',
      ngrams: { min: 1, max: 10, maxQueries: 300, stopwordsOnly: 'drop' },
    })
    expect(config.export.categories.by).toBe('phrase')
    expect(await outcomes(config, rows)).toEqual([
      ['a brown dog 0.31', 'a brown dog 0.11', 'two kites 0.10'],
      'image_score',
    ])
  })
})

describe('mmgdino-grit', () => {
  it('filters as GRIT does and takes plain captions that fit the text encoder', async () => {
    const [config, grit] = [await recipe('mmgdino-grit'), await recipe('grit')]

    expect(config.filter).toEqual(grit.filter)
    expect(config.phrases).toEqual(grit.phrases)
    expect(config.caption).toMatchObject({
      asciiOnly: true,
      dropEmoji: true,
      dropSpecialTokens: true,
    })
    expect(config.prompt).toMatchObject({ maxTokens: 239, overflow: 'drop' })
    expect(config.export).toMatchObject({ layout: 'sharded', variant: 'grounding' })
  })
})
