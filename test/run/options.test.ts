import { describe, expect, it } from 'vitest'
import { runOptionsSchema, runVolatile } from '../../src/run/options.ts'

describe('runOptionsSchema', () => {
  it('fills in defaults, nested ones too', () => {
    expect(runOptionsSchema.parse({ duplicates: { nearBits: 4 } })).toEqual({
      samplesPerShard: 1000,
      storeImages: 'auto',
      duplicates: { url: 'keep', content: 'keep', pair: 'keep', nearBits: 4 },
      hashInputs: 'auto',
      shardsInFlight: 2,
      fetchAhead: 1000,
      imagesAhead: 16,
      phraseThreads: 1,
    })
  })

  it.each([
    { samplesPerShard: 0 },
    { samplesPerShard: 100_001 },
    { samplesPerShard: 1.5 },
    { limit: 0 },
    { storeImages: true },
    { duplicates: { nearBits: 17 } },
    { duplicates: { text: 'keep' } },
    { shardsInFlight: 65 },
    { imagesAhead: 4097 },
    { phraseThreads: 0 },
    { workers: 2 },
  ])('refuses %j', (options) => {
    expect(runOptionsSchema.safeParse(options).success).toBe(false)
  })

  it('has every option that is said to change no bytes', () => {
    expect(Object.keys(runOptionsSchema.shape)).toEqual(expect.arrayContaining([...runVolatile]))
  })
})
