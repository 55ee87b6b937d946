import { describe, expect, it } from 'vitest'
import { changedMeanings, MEANINGS, raisedMeanings } from '../../src/run/meanings.ts'

describe('raisedMeanings', () => {
  it('are none today, so that runs of 0.1.0 are runs of today', () => {
    expect(raisedMeanings()).toBeUndefined()
  })

  it('are those that are not 1', () => {
    const meanings = { ...MEANINGS, phrases: { number: 3, covers: 'phrases' } }

    expect(raisedMeanings(meanings)).toEqual({ phrases: 3 })
  })
})

describe('changedMeanings', () => {
  it('says which number is another, where none is as good as 1', () => {
    expect(changedMeanings()).toEqual([])
    expect(changedMeanings({ image: 1, phrases: 2 }, { phrases: 2, caption: 1 })).toEqual([])
    expect(changedMeanings({ phrases: 2 }, { image: 2 })).toEqual([
      'image (how images are checked, re-encoded and compared): the run has 1, now 2',
      'phrases (which phrases a caption has): the run has 2, now 1',
    ])
    expect(changedMeanings({ audio: 2 })).toEqual([
      'audio (unknown to this version): the run has 2, now 1',
    ])
  })
})
