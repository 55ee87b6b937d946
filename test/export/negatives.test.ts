import { describe, expect, it } from 'vitest'
import { createNegatives } from '../../src/export/negatives.ts'
import { makeRow } from '../helpers/runs.ts'

const byLemma = (_phrase: string, lemma: string) => lemma
const row = makeRow({
  caption: 'A hotdog beside  two KITES',
  phrases: ['two KITES/KITES/kite'],
})

describe('createNegatives', () => {
  it('draws names that neither the caption nor its phrases have', () => {
    const names = ['dog', 'kite', 'two kites', 'yak', 'zebra']

    // "dog" is a part of a word of the caption: it may be there.
    expect(createNegatives(names, byLemma, { perImage: 5, seed: 0 })(row)).toEqual(['yak', 'zebra'])
    expect(createNegatives(['dog'], byLemma, { perImage: 1, seed: 0 })(row)).toEqual([])
  })

  it('draws as many as are wanted, sorted, by seed, image and caption', () => {
    const names = Array.from({ length: 100 }, (_, index) => `name ${index}`)
    const drawn = (seed: number, of = row) =>
      createNegatives(names, byLemma, { perImage: 4, seed })(of)

    expect(new Set(drawn(0)).size).toBe(4)
    expect(drawn(0)).toEqual([...drawn(0)].sort())
    expect(drawn(0)).toEqual(drawn(0, { ...row, key: 'other', url: null }))
    expect(drawn(1)).not.toEqual(drawn(0))
    expect(drawn(0, { ...row, sha256: 'ab' })).not.toEqual(drawn(0))
    expect(drawn(0, { ...row, caption: 'other' })).not.toEqual(drawn(0))
  })

  it('draws none by default, and none from nothing', () => {
    expect(createNegatives(['yak'], byLemma, { perImage: 0, seed: 0 })(row)).toEqual([])
    expect(createNegatives([], byLemma, { perImage: 3, seed: 0 })(row)).toEqual([])
  })
})
