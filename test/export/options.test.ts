import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { commonOptionsSchema } from '../../src/export/options.ts'

describe('commonOptionsSchema', () => {
  it('fills in defaults, nested ones too', () => {
    expect(commonOptionsSchema.parse({ negatives: { perImage: 3 } })).toEqual({
      layout: 'merged',
      images: 'copy',
      categories: { by: 'head', list: [] },
      negatives: { perImage: 3, seed: 0 },
      boxSupervision: true,
    })
  })

  it.each([
    ['layout=folded', /export\.layout: .*"merged".*"sharded"/],
    ['images=link', /export\.images: .*"copy".*"none".*"reference"/],
    ['categories.by=list', /export\.categories\.list: give names with by: list, and only there/],
    ['categories.list=[dog]', /export\.categories\.list: give names with by: list, and only there/],
    ['categories={ by: list, list: [""] }', /export\.categories\.list\.0: /],
    ['negatives.perImage=1001', /export\.negatives\.perImage: .*1000; given: 1001/],
    ['negatives.seed=1.5', /export\.negatives\.seed: /],
    ['boxSupervision=1', /export\.boxSupervision: /],
  ])('refuses %s and says why', async (setting, message) => {
    const loading = loadConfig(undefined, [`export.${setting}`])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})
