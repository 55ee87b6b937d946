import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config.ts'
import { ConfigError } from '../../../src/core/errors.ts'
import { imageOptionsSchema, imageVolatile } from '../../../src/ingest/image/options.ts'

describe('imageOptionsSchema', () => {
  it('fills in defaults; rare formats are for those who ask', () => {
    expect(imageOptionsSchema.parse({})).toEqual({
      minSide: 32,
      maxAspect: 20,
      minBytes: 0,
      maxPixels: 50_000_000,
      formats: ['jpg', 'png', 'webp', 'gif'],
      decodeTimeoutMs: 20_000,
      processes: 1,
      decoders: 4,
    })
    expect(imageOptionsSchema.parse({ formats: ['avif', 'tiff'] }).formats).toHaveLength(2)
  })

  it('has every option that is said to change no result', () => {
    expect(Object.keys(imageOptionsSchema.shape)).toEqual(
      expect.arrayContaining([...imageVolatile]),
    )
  })

  it.each([
    ['minSide=0', /image\.minSide: /],
    ['maxAspect=0.5', /image\.maxAspect: /],
    // What libvips takes at most.
    ['maxPixels=268402690', /image\.maxPixels: .*268402689/],
    ['formats=[]', /image\.formats: /],
    ['formats=[jpeg]', /image\.formats\.0: .*"jpg".*given: "jpeg"/],
    ['decodeTimeoutMs=999', /image\.decodeTimeoutMs: .*1000; given: 999/],
    ['processes=65', /image\.processes: .*64; given: 65/],
    ['decoder=2', /image\.decoder: unknown key; did you mean "decoders"\?/],
  ])('refuses %s and says why', async (setting, message) => {
    const loading = loadConfig(undefined, [`image.${setting}`])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})
