import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GroundingRow } from '../../src/core/types.ts'
import { filterRun, type FilterCounts } from '../../src/filter/filter-run.ts'
import { balanceOptionsSchema, filterOptionsSchema } from '../../src/filter/options.ts'
import { makeRow, type RowSpec } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

interface Options {
  readonly filter?: Parameters<typeof filterOptionsSchema.parse>[0]
  readonly balance?: Parameters<typeof balanceOptionsSchema.parse>[0]
}

interface Ran {
  /** Row numbers. */
  readonly kept: number[]
  /** Phrases with regions, per kept row. */
  readonly phrases: string[][]
  readonly counts: FilterCounts
}

async function run(
  rows: readonly GroundingRow[],
  { filter = {}, balance = {} }: Options,
): Promise<Ran> {
  async function* rowsOf() {
    yield* rows
  }
  const filtered = await filterRun(
    rowsOf,
    filterOptionsSchema.parse(filter),
    balanceOptionsSchema.parse(balance),
    0.5,
  )
  const pass = async () => {
    const kept: number[] = []
    const phrases: string[][] = []
    for await (const { row, regions } of filtered.samples()) {
      kept.push(row.row)
      phrases.push(regions.map(({ phrase }) => row.phrases[phrase]!.text))
    }
    return { kept, phrases, counts: filtered.counts() }
  }
  const first = await pass()
  expect(await pass()).toEqual(first)
  const sum = (counts: object) =>
    (Object.values(counts) as number[]).reduce((total, count) => total + count, 0)
  const { counts } = first
  expect(counts.samples + sum(counts.droppedSamples)).toBe(counts.rows)
  expect(counts.regions + sum(counts.droppedCandidates)).toBe(counts.candidates)
  expect(counts.rows).toBe(rows.length)
  return first
}

/** One region per text of the caption, all far above the score. */
function rowOf(row: number, caption: string, over: RowSpec = {}): GroundingRow {
  return makeRow({
    row,
    caption,
    boxes: caption.split(' and ').map((text, i) => [text, 0.9, i * 50, 0, i * 50 + 40, 40]),
    ...over,
  })
}

describe('filter.dedup', () => {
  const same = 'ab'.repeat(32)
  const rows = [
    rowOf(0, 'a dog', { sha256: same }),
    rowOf(1, 'a dog', { sha256: same }),
    rowOf(2, 'a cat', { sha256: same }),
    rowOf(3, 'a dog'),
  ]

  it.each([
    ['none', [0, 1, 2, 3], {}],
    ['pair', [0, 2, 3], { duplicate_pair: 1 }],
    ['image', [0, 3], { duplicate_image: 2 }],
  ] as const)('%s', async (dedup, kept, droppedSamples) => {
    expect(await run(rows, { filter: { dedup } })).toMatchObject({
      kept,
      counts: { droppedSamples },
    })
  })

  it('finds every repeat among many', async () => {
    const many = Array.from({ length: 3000 }, (_, row) =>
      rowOf(row, 'a dog', {
        sha256: createHash('sha256')
          .update(String(row % 1250))
          .digest('hex'),
      }),
    )

    const { kept } = await run(many, {})

    expect(kept).toEqual(Array.from({ length: 1250 }, (_, row) => row))
  })
})

describe('filter.nearDuplicateBits', () => {
  /** The hash with some bits turned, spread over it. */
  const turned = (hash: bigint, bits: readonly number[]) =>
    bits
      .reduce((changed, bit) => changed ^ (1n << BigInt(bit)), hash)
      .toString(16)
      .padStart(16, '0')
  const base = 0x0123456789abcdefn

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('finds hashes within %d bits, and no others', async (bits) => {
    const near = [63, 32, 31, 0, 21, 42, 13].slice(0, bits)
    const rows = [
      rowOf(0, 'a dog', { dhash: turned(base, []) }),
      rowOf(1, 'a dog', { dhash: turned(base, near) }),
      rowOf(2, 'a dog', { dhash: turned(base, [...near, 50]) }),
    ]

    const { kept } = await run(rows, { filter: { nearDuplicateBits: bits } })

    // The third is as far from the first as it may not be, and one bit from the second, which is gone.
    expect(kept).toEqual([0, 2])
  })

  it('takes another caption of the same image for no near-duplicate', async () => {
    const { sha256, dhash } = rowOf(0, 'a dog')
    const rows = [rowOf(0, 'a dog'), rowOf(1, 'a cat', { sha256, dhash })]

    expect((await run(rows, { filter: { nearDuplicateBits: 0 } })).kept).toEqual([0, 1])
  })
})

describe('filter.blockedImages', () => {
  it('drops images by sha256 and near a dHash', async () => {
    const rows = [0, 1, 2, 3].map((row) => rowOf(row, 'a dog'))
    const file = path.join(await temporaryFolder(), 'evaluation.txt')
    const nearly = (BigInt(`0x${rows[2]!.dhash}`) ^ 5n).toString(16).padStart(16, '0')
    await fs.writeFile(
      file,
      `# COCO val\n${rows[1]!.sha256.toUpperCase()}\n\n${nearly} # two bits\n`,
    )

    const exact = await run(rows, { filter: { blockedImages: file } })
    const near = await run(rows, { filter: { blockedImages: file, nearDuplicateBits: 2 } })

    expect(exact.kept).toEqual([0, 2, 3])
    expect(near.kept).toEqual([0, 3])
    expect(near.counts.droppedSamples).toEqual({ blocked_image: 2 })
  })

  it('names the line that is no hash, and a file that is not there', async () => {
    const file = path.join(await temporaryFolder(), 'list.txt')
    await fs.writeFile(file, `${'0'.repeat(16)}\nimages/1.jpg\n`)

    await expect(run([], { filter: { blockedImages: file } })).rejects.toThrow(
      /list\.txt, line 2: "images\/1\.jpg" is neither a sha256/,
    )
    await expect(run([], { filter: { blockedImages: 'nowhere.txt' } })).rejects.toThrow(
      /filter\.blockedImages: nowhere\.txt: ENOENT/,
    )
  })
})

describe('filter.maxCaptionRepeats', () => {
  it('drops every row of a caption that comes more often', async () => {
    const rows = ['a dog', 'a cat', 'a dog', 'a dog', 'a cat'].map((text, row) => rowOf(row, text))

    const { kept, counts } = await run(rows, { filter: { maxCaptionRepeats: 2 } })

    expect(kept).toEqual([1, 4])
    expect(counts.droppedSamples).toEqual({ repeated_caption: 3 })
  })
})

describe('filter.scale', () => {
  it('lowers scores before every other rule, by phrase or head lemma', async () => {
    const place = [0, 0, 50, 50] as const
    const row = makeRow({
      caption: 'a dog and a husky and a kite',
      phrases: ['a dog', 'a husky', 'a kite'],
      boxes: [
        ['a dog', 0.9, ...place],
        ['a husky', 0.4, ...place],
        ['a kite', 0.8, ...place],
      ],
    })
    const scale = [
      { phrases: ['Dog'], factor: 0.25 },
      { phrases: ['a kite', 'dog'], factor: 0.5 },
    ]
    const filter = { score: 0.2, bestLabelPerBox: true, perTypeScore: { bare: 0.2 } }

    expect((await run([row], { filter })).phrases).toEqual([['a dog']])
    // 0.225, 0.4 and 0.4: of equal scores the first phrase's.
    expect((await run([row], { filter: { ...filter, scale } })).phrases).toEqual([['a husky']])
    expect((await run([row], { filter: { score: 0.3, scale } })).phrases).toEqual([
      ['a husky', 'a kite'],
    ])
  })
})

describe('filter.perPhraseShare', () => {
  it('keeps the same share of each head lemma, however it is scored', async () => {
    const scored = (row: number, text: string, score: number) =>
      makeRow({ row, caption: text, boxes: [[text, score, 0, 0, 50, 50]] })
    const rows = [0, 1, 2, 3].flatMap((i) => [
      scored(2 * i, 'a dog', 0.6 + i / 10),
      scored(2 * i + 1, 'a kite', 0.51 + i / 100),
    ])

    const { kept } = await run(rows, { filter: { perPhraseShare: 0.5 } })

    expect(kept).toEqual([4, 5, 6, 7])
  })
})

describe('balance.minCount', () => {
  it('drops regions of rare lemmas, and samples that had only those', async () => {
    const rows = [rowOf(0, 'a dog and a yak'), rowOf(1, 'a dog'), rowOf(2, 'a yurt')]

    const { phrases, counts } = await run(rows, { balance: { minCount: 2 } })

    expect(phrases).toEqual([['a dog'], ['a dog']])
    expect(counts.droppedSamples).toEqual({ rare_phrases: 1 })
    expect(counts.droppedCandidates).toEqual({ rare_phrase: 2 })
  })

  it('asks what is left for the rules of a sample again', async () => {
    const rows = [
      rowOf(0, 'a dog and a yak'),
      rowOf(1, 'a dog and a cat'),
      rowOf(2, 'a cat and a dog'),
    ]

    const { kept, counts } = await run(rows, {
      filter: { minBoxesPerImage: 2 },
      balance: { minCount: 2 },
    })

    expect(kept).toEqual([1, 2])
    expect(counts.droppedSamples).toEqual({ too_few_boxes: 1 })
  })
})

describe('balance.phrase', () => {
  const dogs = Array.from({ length: 2000 }, (_, row) => rowOf(row, 'a dog'))
  const rows = [...dogs, rowOf(2000, 'a yak'), rowOf(2001, 'a dog and a yak')]

  it('keeps about t samples of a frequent lemma, and every sample with a rare one', async () => {
    const { kept, counts } = await run(rows, { balance: { phrase: 200 } })

    // Binomial(2001, 200 / 2001): four standard deviations.
    expect(kept.length).toBeGreaterThan(200 - 54)
    expect(kept.length).toBeLessThan(200 + 2 + 54)
    expect(kept).toEqual(expect.arrayContaining([2000, 2001]))
    expect(counts.droppedSamples.balanced_away).toBe(2002 - kept.length)
  })

  it('draws by seed, and not by place', async () => {
    const draw = async (all: readonly GroundingRow[], seed: number) =>
      (await run(all, { balance: { phrase: 200, seed } })).kept.sort((a, b) => a - b)

    const kept = await draw(rows, 1)

    expect(await draw([...rows].reverse(), 1)).toEqual(kept)
    expect(await draw(rows, 2)).not.toEqual(kept)
  })

  it('leaves samples without regions alone', async () => {
    const empty = makeRow({ row: 0, caption: 'a dog' })

    const { kept } = await run([empty], {
      filter: { minBoxesPerImage: 0 },
      balance: { phrase: 1 },
    })

    expect(kept).toEqual([0])
  })
})

describe('balance.maxPerPhrase', () => {
  it('is a hard limit per lemma, first come first served', async () => {
    const rows = [
      rowOf(0, 'a dog'),
      rowOf(1, 'a dog and a cat'),
      rowOf(2, 'a dog and a cat'),
      rowOf(3, 'a dog'),
    ]

    const { kept, phrases, counts } = await run(rows, { balance: { maxPerPhrase: 2 } })

    expect(kept).toEqual([0, 1, 2])
    expect(phrases).toEqual([['a dog'], ['a dog', 'a cat'], ['a cat']])
    expect(counts.droppedSamples).toEqual({ common_phrases: 1 })
  })
})

describe('balance.maxSamples', () => {
  it('draws so many of what the other rules leave', async () => {
    const rows = Array.from({ length: 50 }, (_, row) =>
      rowOf(row, row % 5 === 0 ? 'a yak' : 'a dog'),
    )

    const { kept, counts } = await run(rows, { balance: { maxSamples: 8, minCount: 20 } })
    const all = await run(rows, { balance: { maxSamples: 1000 } })

    expect(kept).toHaveLength(8)
    expect(counts.droppedSamples).toEqual({ rare_phrases: 10, not_drawn: 32 })
    expect(all.kept).toHaveLength(50)
  })
})
