import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import type { Json } from '../../src/core/types.ts'
import { migrateConfig, storedConfig, type Migration } from '../../src/run/stored-config.ts'
import { makeManifest } from '../helpers/commits.ts'

const versions = { groundmill: '0.0.9' }

describe('storedConfig', () => {
  it('has the stored values, and the defaults of options that came since', async () => {
    const manifest = makeManifest({ config: { caption: { minWords: 7 } }, versions })

    const config = storedConfig('run', manifest)

    expect(config.caption).toEqual({ ...(await loadConfig(undefined)).caption, minWords: 7 })
  })

  it('takes settings on top, as for the run itself', () => {
    const manifest = makeManifest({ config: { fetch: { retries: 1, maxBytes: 99 } }, versions })

    const { fetch } = storedConfig('run', manifest, ['fetch.retries=5'])

    expect(fetch).toMatchObject({ retries: 5, maxBytes: 99 })
    expect(() => storedConfig('run', manifest, ['fetch.retrys=5'])).toThrow(
      'run/run.json:\n  fetch.retrys: unknown key; did you mean "retries"?',
    )
  })

  it.each<[string, Json]>([
    ['caption.shout: unknown key', { caption: { shout: true } }],
    ['audio: unknown key', { audio: {} }],
    ['run.samplesPerShard: ', { run: { samplesPerShard: 0 } }],
    ['expected sections', []],
  ])('names what today cannot take (%s) and the version that wrote it', (line, config) => {
    const read = () => storedConfig('some/run', makeManifest({ config, versions }))

    expect(read).toThrow(ConfigError)
    expect(read).toThrow('some/run/run.json was written by groundmill 0.0.9 with options')
    expect(read).toThrow(line)
  })

  it('does not read the sections of the second step', () => {
    const config = { filter: { gone: 1 }, balance: 7, export: { variant: 'gone' } }

    expect(() => storedConfig('run', makeManifest({ config }))).not.toThrow()
  })
})

describe('migrateConfig', () => {
  const renamed: Migration = { option: 'run.duplicates.url', renamedTo: 'dedup.url' }

  it('gives a renamed option its new name and place', () => {
    const stored = { run: { duplicates: { url: 'reject', pair: 'keep' } }, image: {} }

    expect(migrateConfig(stored, [renamed])).toEqual({
      run: { duplicates: { pair: 'keep' } },
      image: {},
      dedup: { url: 'reject' },
    })
    expect(migrateConfig({ ...stored, dedup: { near: 3 } }, [renamed])).toMatchObject({
      dedup: { near: 3, url: 'reject' },
    })
  })

  it('takes one rename after the other', () => {
    const again: Migration = { option: 'dedup.url', renamedTo: 'dedup.byUrl' }

    expect(migrateConfig({ run: { duplicates: { url: 'keep' } } }, [renamed, again])).toEqual({
      run: { duplicates: {} },
      dedup: { byUrl: 'keep' },
    })
  })

  it('forgets a removed option at the values that mean what today does', () => {
    const removed: Migration = { option: 'image.turn', removedAt: [false, null] }

    expect(migrateConfig({ image: { turn: false } }, [removed])).toEqual({ image: {} })
    expect(migrateConfig({ image: { turn: true } }, [removed])).toEqual({ image: { turn: true } })
    expect(migrateConfig({ image: { turn: 3 } }, [{ ...removed, removedAt: 'any' }])).toEqual({
      image: {},
    })
  })

  it.each<Json>([{}, { run: {} }, { run: 7 }, { run: { duplicates: [] } }, [], null])(
    'leaves %j alone, which has no such option',
    (stored) => {
      expect(migrateConfig(stored, [renamed])).toEqual(stored)
    },
  )

  it('does not change what it is given', () => {
    const stored = { run: { duplicates: { url: 'keep' } }, export: {} }

    migrateConfig(stored, [renamed])

    expect(stored).toEqual({ run: { duplicates: { url: 'keep' } }, export: {} })
  })
})
