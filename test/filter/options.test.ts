import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { balanceOptionsSchema, filterOptionsSchema } from '../../src/filter/options.ts'

describe('filterOptionsSchema', () => {
  it('fills in defaults, nested ones too; no score means that of the teacher', () => {
    expect(filterOptionsSchema.parse({ box: { minSide: 8 } })).toEqual({
      scale: [],
      perTypeScore: {},
      perPhraseScore: {},
      passes: [],
      nms: { scope: 'phrase', iou: 0.5 },
      bestLabelPerBox: false,
      blockPhrases: [],
      nested: 'keep',
      minBoxesPerImage: 1,
      minPhrases: 0,
      groundedShare: 0,
      box: { minSide: 8, clip: true },
      dedup: 'pair',
    })
  })

  it('takes an IoU per pass only where boxes of one phrase are compared', () => {
    const passes = [{ score: 0.3, iou: 1 }]

    expect(filterOptionsSchema.parse({ passes })).toMatchObject({ passes })
    expect(filterOptionsSchema.safeParse({ passes, nms: { scope: 'all' } }).success).toBe(false)
  })
})

describe('balanceOptionsSchema', () => {
  it('draws nothing unless it is told to', () => {
    expect(balanceOptionsSchema.parse({})).toEqual({ minCount: 1, seed: 0 })
  })
})

describe('the sections filter: and balance:', () => {
  it.each([
    ['filter.score=1.5', /filter\.score: .*1; given: 1\.5/],
    ['filter.scale=[{ phrases: [], factor: 0.5 }]', /filter\.scale\.0\.phrases: /],
    ['filter.scale=[{ phrases: [a], factor: 0 }]', /filter\.scale\.0\.factor: .*>0; given: 0/],
    ['filter.perTypeScore.plain=0.3', /filter\.perTypeScore\.plain: unknown key; known are bare/],
    ['filter.perPhraseScore={ dog: 2 }', /filter\.perPhraseScore\.dog: /],
    ['filter.perPhraseShare=0', /filter\.perPhraseShare: /],
    ['filter.nms.scope=image', /filter\.nms\.scope: .*"none".*"phrase".*"all"/],
    [
      'filter={ nms: { scope: none }, passes: [{ score: 0.2, iou: 0.5 }] }',
      /filter\.passes: an iou per pass needs nms\.scope: phrase/,
    ],
    ['filter.onlyPhrases=[]', /filter\.onlyPhrases: /],
    ['filter.maxBoxesPerPhrase=0', /filter\.maxBoxesPerPhrase: /],
    ['filter.box.maxAspect=0.5', /filter\.box\.maxAspect: /],
    ['filter.nearDuplicateBits=8', /filter\.nearDuplicateBits: .*7; given: 8/],
    ['filter.blockedImages=""', /filter\.blockedImages: /],
    ['balance.maxSamples=0', /balance\.maxSamples: /],
    ['balance.phrases=100', /balance\.phrases: unknown key; did you mean "phrase"\?/],
  ])('refuse %s and say why', async (setting, message) => {
    const loading = loadConfig(undefined, [setting])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})
