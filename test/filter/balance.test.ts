import { describe, expect, it } from 'vitest'
import { surveyBalance } from '../../src/filter/balance.ts'
import type { FilteredSample } from '../../src/filter/filter.ts'
import { balanceOptionsSchema, filterOptionsSchema } from '../../src/filter/options.ts'
import { makeRow } from '../helpers/runs.ts'

/** One region per phrase of the caption "a x and a y". */
function sampleOf(caption: string, row: number): FilteredSample {
  const texts = caption.split(' and ')
  const made = makeRow({ row, caption, boxes: texts.map((text) => [text, 0.9, 0, 0, 9, 9]) })
  return { row: made, regions: made.candidates }
}

interface Balanced {
  /** Phrases left of each sample, or why it goes. */
  readonly results: (string[] | string)[]
  readonly drops: Readonly<Record<string, number>>
  /** Passes over the samples that the survey took. */
  readonly passes: number
}

async function balanced(
  options: Parameters<typeof balanceOptionsSchema.parse>[0],
  captions: readonly string[],
  filter: Parameters<typeof filterOptionsSchema.parse>[0] = {},
): Promise<Balanced> {
  const samples = captions.map(sampleOf)
  let passes = 0
  async function* all() {
    passes++
    yield* samples
  }
  const newBalance = await surveyBalance(all, {
    filter: filterOptionsSchema.parse(filter),
    balance: balanceOptionsSchema.parse(options),
  })
  const balance = newBalance()
  const drops: Record<string, number> = {}
  const results = samples.map((sample) => {
    const kept = balance(sample, (reason, count) => {
      if (count > 0) drops[reason] = (drops[reason] ?? 0) + count
    })
    if (typeof kept === 'string') return kept
    return kept.regions.map(({ phrase }) => kept.row.phrases[phrase]!.text)
  })
  return { results, drops, passes }
}

describe('surveyBalance', () => {
  it('looks at no sample where nothing asks for it', async () => {
    expect(await balanced({}, ['a dog'])).toEqual({ results: [['a dog']], drops: {}, passes: 0 })
    expect((await balanced({ maxPerPhrase: 1 }, ['a dog'])).passes).toBe(0)
    expect((await balanced({ minCount: 2, phrase: 1 }, ['a dog'])).passes).toBe(1)
    expect((await balanced({ minCount: 2, maxSamples: 1 }, ['a dog'])).passes).toBe(2)
  })

  it('counts a lemma once per sample', async () => {
    const { results, drops } = await balanced({ minCount: 2 }, ['a dog and a big dog', 'a cat'])

    expect(results).toEqual(['rare_phrases', 'rare_phrases'])
    expect(drops).toEqual({ rare_phrase: 3 })
  })

  it('gives each pass its own count of what it has let pass', async () => {
    const samples = ['a dog', 'a dog'].map(sampleOf)
    async function* all() {
      yield* samples
    }
    const newBalance = await surveyBalance(all, {
      filter: filterOptionsSchema.parse({}),
      balance: balanceOptionsSchema.parse({ maxPerPhrase: 1 }),
    })
    for (const balance of [newBalance(), newBalance()]) {
      expect(samples.map((sample) => balance(sample))).toEqual([samples[0], 'common_phrases'])
    }
  })

  it('counts against the cap only samples that stay', async () => {
    // The second loses its dog to the cap and then has too few boxes: its cat does not count.
    const captions = ['a dog', 'a dog and a cat', 'a cat and a kite']

    const { results, drops } = await balanced({ maxPerPhrase: 1 }, captions, {
      minBoxesPerImage: 1,
      minPhrases: 1,
    })
    const strict = await balanced({ maxPerPhrase: 1 }, ['a dog and a yak', ...captions.slice(1)], {
      minPhrases: 2,
    })

    expect(results).toEqual([['a dog'], ['a cat'], ['a kite']])
    expect(drops).toEqual({ common_phrase: 2 })
    expect(strict.results).toEqual([['a dog', 'a yak'], 'too_few_phrases', ['a cat', 'a kite']])
    expect(strict.drops).toEqual({ common_phrase: 1, sample_dropped: 1 })
  })

  it('draws just as many as are wanted, each time the same', async () => {
    const captions = Array.from({ length: 30 }, () => 'a dog')
    const drawn = async (seed: number) => {
      const { results } = await balanced({ maxSamples: 7, seed }, captions)
      return results.flatMap((result, index) => (result === 'not_drawn' ? [] : [index]))
    }

    expect(await drawn(1)).toHaveLength(7)
    expect(await drawn(1)).toEqual(await drawn(1))
    expect(await drawn(2)).not.toEqual(await drawn(1))
  })

  it('counts the regions of a sample that it drops', async () => {
    const { results, drops } = await balanced({ maxSamples: 1 }, ['a dog and a cat', 'a kite'])

    expect(results.filter((result) => result === 'not_drawn')).toHaveLength(1)
    expect(drops).toEqual({ sample_dropped: results[0] === 'not_drawn' ? 2 : 1 })
  })
})
