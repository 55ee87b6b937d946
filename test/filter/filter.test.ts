import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GroundingRow } from '../../src/core/types.ts'
import {
  createSampleFilter,
  type CandidateDrop,
  type FilteredSample,
} from '../../src/filter/filter.ts'
import { filterOptionsSchema } from '../../src/filter/options.ts'
import { makeRow } from '../helpers/runs.ts'

type Options = Parameters<typeof filterOptionsSchema.parse>[0]

function run(row: GroundingRow, options: Options, defaultScore = 0.5) {
  const dropped: Partial<Record<CandidateDrop, number>> = {}
  const parsed = filterOptionsSchema.parse(options)
  const filter = createSampleFilter({ ...parsed, score: parsed.score ?? defaultScore })
  const result = filter(row, (reason, count) => {
    if (count > 0) dropped[reason] = (dropped[reason] ?? 0) + count
  })
  return { result, dropped }
}

/** Kept regions as `phrase score`, or the reason of the sample. */
function kept(row: GroundingRow, options: Options, defaultScore?: number): string[] | string {
  const { result } = run(row, options, defaultScore)
  return typeof result === 'string' ? result : shown(result)
}

function shown({ row, regions }: FilteredSample): string[] {
  return regions.map(
    ({ phrase, score }) => `${row.phrases[phrase]!.text} ${String(Number(score.toFixed(4)))}`,
  )
}

const DOG = [48, 60, 208, 300] as const
const KITE = [300, 40, 360, 110] as const
const BEACH = [0, 300, 640, 480] as const

const SCENE = makeRow({
  phrases: ['a brown dog', 'two kites/kites/kite', 'a windy beach'],
  boxes: [
    ['a brown dog', 0.9, ...DOG],
    ['two kites', 0.45, ...KITE],
    ['a windy beach', 0.2, ...BEACH],
  ],
})

describe('filter.score', () => {
  it('keeps candidates from the least score on', () => {
    expect(kept(SCENE, { score: 0.4 })).toEqual(['a brown dog 0.9', 'two kites 0.45'])
  })

  it('is the score of the teacher when it is not set', () => {
    expect(kept(SCENE, {}, 0.95)).toBe('too_few_boxes')
    expect(kept(SCENE, {}, 0.1)).toHaveLength(3)
  })

  it('takes a score for reached that the store holds as a 32-bit float', () => {
    const row = makeRow({ boxes: [['a brown dog', 0.65, ...DOG]] })

    expect(row.candidates[0]!.score).toBeLessThan(0.65)
    expect(kept(row, { score: 0.65 })).toEqual(['a brown dog 0.65'])
  })
})

describe('filter.perTypeScore', () => {
  const row = makeRow({
    caption: 'two kites, a brown dog and a man on a horse',
    phrases: ['two kites/kites/kite', 'a brown dog', 'a man on a horse/man/man'],
    boxes: [
      ['two kites', 0.45, ...KITE],
      ['a brown dog', 0.45, ...DOG],
      ['a man on a horse', 0.45, ...BEACH],
    ],
  })

  it.each([
    ['bare', 'two kites'],
    ['modified', 'a brown dog'],
    ['expression', 'a man on a horse'],
  ])('holds for %s phrases alone', (type, text) => {
    expect(kept(row, { perTypeScore: { [type]: 0.4 } })).toEqual([`${text} 0.45`])
  })
})

describe('filter.perPhraseScore', () => {
  it('goes by phrase before lemma before type', () => {
    const perTypeScore = { bare: 0.1 }

    expect(kept(SCENE, { perTypeScore })).toContain('two kites 0.45')
    expect(kept(SCENE, { perTypeScore, perPhraseScore: { kite: 0.8 } })).not.toContain(
      'two kites 0.45',
    )
    expect(
      kept(SCENE, { perTypeScore, perPhraseScore: { kite: 0.8, 'Two  kites': 0.3 } }),
    ).toContain('two kites 0.45')
  })
})

describe('filter.passes', () => {
  const row = makeRow({
    phrases: ['a brown dog', 'two kites', 'a windy beach'],
    boxes: [
      ['a brown dog', 0.9, ...DOG],
      ['a brown dog', 0.45, 400, 60, 500, 300],
      ['two kites', 0.45, ...KITE],
      ['two kites', 0.43, 301, 41, 361, 111],
      ['a windy beach', 0.2, ...BEACH],
    ],
  })

  it('asks later passes for phrases that have no box yet', () => {
    expect(kept(row, { score: 0.5, passes: [{ score: 0.4 }] })).toEqual([
      'a brown dog 0.9',
      'two kites 0.45',
    ])
    expect(kept(row, { score: 0.5, passes: [{ score: 0.4 }, { score: 0.1 }] })).toContain(
      'a windy beach 0.2',
    )
  })

  it('gives a pass its own NMS', () => {
    expect(kept(row, { score: 0.5, passes: [{ score: 0.4, iou: 1 }] })).toEqual([
      'a brown dog 0.9',
      'two kites 0.45',
      'two kites 0.43',
    ])
  })

  it('refuses an NMS per pass across phrases', () => {
    expect(() =>
      filterOptionsSchema.parse({ nms: { scope: 'all' }, passes: [{ score: 0.4, iou: 0.5 }] }),
    ).toThrow(/needs nms\.scope: phrase/)
  })
})

describe('filter.nms', () => {
  const row = makeRow({
    phrases: ['a brown dog', 'two kites'],
    boxes: [
      ['a brown dog', 0.9, 0, 0, 100, 100],
      ['a brown dog', 0.8, 0, 0, 100, 90], // IoU 0.9 with the first
      ['two kites', 0.7, 0, 0, 100, 95], // IoU 0.95 with the first
    ],
  })

  it.each([
    ['none', 0.5, ['a brown dog 0.9', 'a brown dog 0.8', 'two kites 0.7']],
    ['phrase', 0.5, ['a brown dog 0.9', 'two kites 0.7']],
    ['phrase', 0.9, ['a brown dog 0.9', 'a brown dog 0.8', 'two kites 0.7']],
    ['all', 0.5, ['a brown dog 0.9']],
    ['all', 0.93, ['a brown dog 0.9', 'a brown dog 0.8']],
  ] as const)('with scope %s and IoU %d', (scope, iou, expected) => {
    expect(kept(row, { nms: { scope, iou } })).toEqual(expected)
  })

  it('leaves no two boxes of a group above the IoU', () => {
    const side = fc.integer({ min: 1, max: 60 })
    const boxes = fc.array(
      fc.tuple(fc.nat(500), fc.nat(400), side, side, fc.integer({ min: 1, max: 1000 })),
      { maxLength: 25 },
    )
    fc.assert(
      fc.property(boxes, (all) => {
        const crowd = makeRow({
          phrases: ['a brown dog'],
          boxes: all.map(([x, y, w, h, s]) => ['a brown dog', s / 1000, x, y, x + w, y + h]),
        })
        const { result } = run(crowd, { minBoxesPerImage: 0, nms: { iou: 0.3 } }, 0)
        const again = { ...crowd, candidates: (result as FilteredSample).regions }
        const twice = run(again, { minBoxesPerImage: 0, nms: { iou: 0.3 } }, 0)
        expect((twice.result as FilteredSample).regions).toEqual((result as FilteredSample).regions)
      }),
      { numRuns: 50 },
    )
  })
})

describe('filter.bestLabelPerBox', () => {
  it('leaves a box to the phrase that scores best on it', () => {
    const row = makeRow({
      phrases: ['a brown dog', 'two kites'],
      boxes: [
        ['a brown dog', 0.6, ...DOG],
        ['two kites', 0.8, ...DOG],
        ['two kites', 0.7, ...KITE],
      ],
    })

    expect(kept(row, { bestLabelPerBox: true })).toEqual(['two kites 0.8', 'two kites 0.7'])
    expect(kept(row, {})).toHaveLength(3)
  })
})

describe('filter.onlyPhrases and filter.blockPhrases', () => {
  it('go by phrase or head lemma, in any case', () => {
    expect(kept(SCENE, { score: 0.1, onlyPhrases: ['Kite', 'a  BROWN dog'] })).toEqual([
      'a brown dog 0.9',
      'two kites 0.45',
    ])
    expect(kept(SCENE, { score: 0.1, blockPhrases: ['dog', 'a windy beach'] })).toEqual([
      'two kites 0.45',
    ])
  })
})

describe('filter.nested', () => {
  const caption = 'a dog on a beach, a dog house'
  const row = makeRow({
    caption,
    phrases: ['a dog on a beach/dog', 'a beach', 'a dog/dog', 'a dog house'],
    boxes: [
      ['a dog on a beach', 0.9, ...DOG],
      ['a beach', 0.8, ...BEACH],
      ['a dog', 0.7, ...DOG],
      ['a dog house', 0.6, ...KITE],
    ],
  })
  // The third phrase is the second "a dog": inside "a dog house".
  const spans = { ...row, phrases: row.phrases.map((one) => ({ ...one })) }
  Object.assign(spans.phrases[1]!, { start: 9, end: 16 })
  Object.assign(spans.phrases[2]!, { start: 40, end: 45 })

  it('keeps all by default', () => {
    expect(kept(spans, {})).toHaveLength(4)
  })

  it('drops a phrase that lies in the span of another', () => {
    expect(kept(spans, { nested: 'span' })).toEqual([
      'a dog on a beach 0.9',
      'a dog 0.7',
      'a dog house 0.6',
    ])
  })

  it('drops a phrase whose text is a part of another', () => {
    expect(kept(spans, { nested: 'text' })).toEqual(['a dog on a beach 0.9', 'a dog house 0.6'])
  })

  it('keeps a phrase whose container has no box', () => {
    const bare = { ...spans, candidates: spans.candidates.filter(({ phrase }) => phrase !== 0) }

    expect(kept(bare, { nested: 'span' })).toContain('a beach 0.8')
  })
})

describe('filter.maxBoxesPerPhrase and filter.maxBoxesPerImage', () => {
  const row = makeRow({
    phrases: ['two kites', 'a windy beach'],
    boxes: [
      ['two kites', 0.9, ...KITE],
      ['two kites', 0.8, ...DOG],
      ['two kites', 0.6, 400, 200, 500, 300],
      ['a windy beach', 0.7, ...BEACH],
    ],
  })

  it('keep the best', () => {
    expect(kept(row, { maxBoxesPerPhrase: 2 })).toEqual([
      'two kites 0.9',
      'two kites 0.8',
      'a windy beach 0.7',
    ])
    expect(kept(row, { maxBoxesPerImage: 3 })).toEqual([
      'two kites 0.9',
      'two kites 0.8',
      'a windy beach 0.7',
    ])
    expect(kept(row, { maxBoxesPerPhrase: 1, maxBoxesPerImage: 1 })).toEqual(['two kites 0.9'])
  })
})

describe('filter.imageHasScore', () => {
  it('keeps low scores of an image that has a high one', () => {
    const options = { score: 0.1, imageHasScore: 0.3 }
    const low = { ...SCENE, candidates: SCENE.candidates.slice(2) }

    expect(kept(SCENE, options)).toHaveLength(3)
    expect(kept(low, options)).toBe('image_score')
  })
})

describe('filter.minBoxesPerImage, filter.minPhrases and filter.groundedShare', () => {
  it('drop images with too little', () => {
    const score = 0.4
    expect(kept(SCENE, { score, minBoxesPerImage: 2 })).toHaveLength(2)
    expect(kept(SCENE, { score, minBoxesPerImage: 3 })).toBe('too_few_boxes')
    expect(kept(SCENE, { score, minPhrases: 3 })).toBe('too_few_phrases')
    expect(kept(SCENE, { score, groundedShare: 0.66 })).toHaveLength(2)
    expect(kept(SCENE, { score, groundedShare: 0.67 })).toBe('grounded_share')
  })

  it('may keep an image without boxes', () => {
    expect(kept(SCENE, { score: 0.95, minBoxesPerImage: 0 })).toEqual([])
  })

  it('counts the share among phrases that may have boxes', () => {
    expect(kept(SCENE, { score: 0.4, groundedShare: 1, blockPhrases: ['beach'] })).toHaveLength(2)
  })
})

describe('filter.box', () => {
  const box = (...xyxy: [number, number, number, number]) =>
    makeRow({ boxes: [['a brown dog', 0.9, ...xyxy]] })

  it('cuts at the edges of the image, or drops what reaches over them', () => {
    const { result } = run(box(-10, -5, 700, 100), {})

    expect((result as FilteredSample).regions[0]!.box).toEqual({ x1: 0, y1: 0, x2: 640, y2: 100 })
    expect(run(box(-10, -5, 700, 100), { box: { clip: false } }).dropped).toEqual({
      box_outside: 1,
    })
  })

  it.each<[string, [number, number, number, number], object, CandidateDrop | undefined]>([
    ['minSide, after clipping', [630, 0, 700, 100], { minSide: 11 }, 'box_small'],
    ['minSide, reached', [630, 0, 700, 100], { minSide: 10 }, undefined],
    ['minSide 0 and no area', [10, 10, 10, 100], { minSide: 0 }, 'box_small'],
    ['reversed', [100, 10, 50, 100], {}, 'box_small'],
    ['not a number', [NaN, 10, 50, 100], {}, 'box_small'],
    ['maxAreaShare', [0, 0, 640, 460], { maxAreaShare: 0.95 }, 'box_large'],
    ['maxAreaShare, below', [0, 0, 640, 450], { maxAreaShare: 0.95 }, undefined],
    ['maxAspect', [0, 0, 201, 100], { maxAspect: 2 }, 'box_aspect'],
    ['maxAspect, reached, upright', [0, 0, 100, 200], { maxAspect: 2 }, undefined],
  ])('%s', (_name, xyxy, rules, reason) => {
    const { result, dropped } = run(box(...xyxy), { box: rules })

    expect(dropped).toEqual(reason === undefined ? {} : { [reason]: 1 })
    expect(typeof result).toBe(reason === undefined ? 'object' : 'string')
  })
})

describe('any filter', () => {
  const options = fc.record({
    score: fc.double({ min: 0, max: 1, noNaN: true }),
    passes: fc.array(fc.record({ score: fc.double({ min: 0, max: 1, noNaN: true }) }), {
      maxLength: 2,
    }),
    nms: fc.record({
      scope: fc.constantFrom('none', 'phrase', 'all'),
      iou: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    bestLabelPerBox: fc.boolean(),
    nested: fc.constantFrom('keep', 'span', 'text'),
    maxBoxesPerImage: fc.integer({ min: 1, max: 4 }),
    minBoxesPerImage: fc.nat(3),
  })
  const candidates = fc.array(
    fc.record({
      phrase: fc.nat(2),
      score: fc.float({ min: 0, max: 1, noNaN: true }),
      box: fc.record({
        x1: fc.integer({ min: -20, max: 660 }),
        y1: fc.integer({ min: -20, max: 500 }),
        x2: fc.integer({ min: -20, max: 660 }),
        y2: fc.integer({ min: -20, max: 500 }),
      }),
    }),
    { maxLength: 12 },
  )

  it('accounts for every candidate, whatever their order', () => {
    fc.assert(
      fc.property(options, candidates, fc.nat(11), (chosen, all, shift) => {
        const row = { ...SCENE, candidates: all }
        const moved = { ...SCENE, candidates: [...all.slice(shift), ...all.slice(0, shift)] }
        const { result, dropped } = run(row, chosen)
        const kept = typeof result === 'string' ? 0 : result.regions.length
        const gone = Object.values(dropped).reduce((sum, count) => sum + count, 0)
        const other = run(moved, chosen)

        expect(kept + gone).toBe(all.length)
        expect(other.dropped).toEqual(dropped)
        expect(typeof other.result === 'string' ? other.result : other.result.regions).toEqual(
          typeof result === 'string' ? result : result.regions,
        )
      }),
      { numRuns: 200 },
    )
  })
})
