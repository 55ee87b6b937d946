import fs from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadConfig, outputConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import type { Json } from '../../src/core/types.ts'
import {
  assertSameRun,
  canonicalJson,
  identifyRun,
  inTodaysTerms,
  runIdOf,
} from '../../src/run/identity.ts'
import type { CaptionSource } from '../../src/ingest/source/source.ts'
import { makeManifest } from '../helpers/commits.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TOY } from '../teacher/toy.ts'

describe('canonicalJson', () => {
  it('is JSON of the same value, whatever the order of its keys', () => {
    const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json)
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(value)
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value))
      }),
    )
  })
})

function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toReversed()
  return Object.fromEntries(entries.map(([key, item]) => [key, reversed(item)]))
}

describe('assertSameRun', () => {
  const file = (name: string, size: number) => ({ path: name, size })
  const identity = {
    config: { run: { limit: 5 }, image: { minSide: 32 } },
    source: { files: [file('a.tsv', 1), file('b.tsv', 2)] },
    teacher: { id: 'toy', sha256: 'aa' },
  }
  const stored = makeManifest({ runId: runIdOf(identity), identity })

  it('accepts the same identity with its keys in another order', () => {
    const { config, source, teacher } = identity

    expect(() => {
      assertSameRun('run', stored, { teacher, source, config })
    }).not.toThrow()
  })

  it.each([
    ['config', { run: { limit: 6 }, image: {} }, ['config.run.limit: the run has 5, now 6']],
    ['config', { run: { limit: 5 }, image: {} }, ['minSide: the run has 32, now (not set)']],
    [
      'source',
      { files: [file('a.tsv', 1), file('b.tsv', 3), file('c.tsv', 4)] },
      ['source.files[1].size: the run has 2, now 3', 'source.files[2]: the run has (not set), now'],
    ],
    ['teacher', { id: 'toy', sha256: 'bb' }, ['teacher.sha256: the run has "aa", now "bb"']],
  ])('refuses another %s with the fields that differ', (part, changed, messages) => {
    const check = () => {
      assertSameRun('some/run', stored, { ...identity, [part]: changed })
    }

    expect(check).toThrow(ConfigError)
    for (const message of ['some/run belongs to run', ...messages]) expect(check).toThrow(message)
  })

  it('shows some of many differences', () => {
    const files = Array.from({ length: 500 }, (_, index) => file(`${index}.tsv`, 9))

    expect(() => {
      assertSameRun('run', stored, { ...identity, source: { files } })
    }).toThrow(/files\[0\][^]*and \d+ more$/)
  })

  it('refuses another meaning of the same options, and says whose it was', () => {
    const versions = { groundmill: '0.0.9' }
    const check = (before: object, now: object) => () => {
      assertSameRun('some/run', makeManifest({ versions, identity: { ...identity, ...before } }), {
        ...identity,
        ...now,
      })
    }
    const raised = { meanings: { phrases: 2 } }

    expect(check(raised, raised)).not.toThrow()
    expect(check({}, { meanings: { phrases: 1 } })).not.toThrow()
    expect(check({}, raised)).toThrow(ConfigError)
    expect(check({}, raised)).toThrow('some/run was labelled by groundmill 0.0.9, for which')
    expect(check({}, raised)).toThrow(
      '\n  phrases (which phrases a caption has): the run has 1, now 2',
    )
    expect(check({}, raised)).toThrow('Go on with 0.0.9, or choose another --out')
  })
})

/** A dataset that is only asked who it is. */
const source = { identity: { type: 'jsonl', files: [] } } as unknown as CaptionSource

async function identityOf(...settings: string[]) {
  return identifyRun(await loadConfig(undefined, [`teacher.model=${TOY}`, ...settings]), source)
}

describe('runIdOf', () => {
  it('is the same for the same options, named or not', async () => {
    const { runId } = await identityOf()

    expect(runId).toMatch(/^[0-9a-f]{16}$/)
    for (const same of ['caption.minWords=3', 'run.shardsInFlight=5', 'filter.score=0.5']) {
      expect((await identityOf(same)).runId, same).toBe(runId)
    }
  })

  it('is another for every option that decides bytes, how rows are read included', async () => {
    const settings = [
      '',
      'caption.minWords=4',
      'run.duplicates.url=reject',
      'fetch.ports=any',
      'source={ phraseUnits: utf16 }',
      'teacher.maxBoxes=3',
    ]
    const ids = await Promise.all(
      settings.map(async (setting) => (await identityOf(...(setting ? [setting] : []))).runId),
    )

    expect(new Set(ids).size).toBe(settings.length)
  })

  it('does not change when an option is added, at its default', async () => {
    const { identity, runId } = await identityOf('caption.minWords=4')
    const { caption, ...config } = outputConfig(await loadConfig(undefined, ['caption.minWords=4']))
    const { dropEmoji: _, ...fewer } = caption!

    expect(
      runIdOf({ ...identity, config: { ...(identity.config as object), caption: fewer } }),
    ).toBe(runId)
    expect(runIdOf({ ...identity, config: { ...config, caption: { minWords: 5 } } })).not.toBe(
      runId,
    )
  })

  it('is another for another source, teacher or meaning', async () => {
    const { identity, runId } = await identityOf()

    expect(runIdOf({ ...identity, source: {} })).not.toBe(runId)
    expect(runIdOf({ ...identity, teacher: {} })).not.toBe(runId)
    expect(runIdOf({ ...identity, meanings: { image: 2 } })).not.toBe(runId)
  })
})

describe('identifyRun', () => {
  it('has lists and hooks by content, not by path', async () => {
    const folder = await temporaryFolder()
    const [here, there] = ['here.txt', 'there.txt'].map((name) => path.join(folder, name))
    await fs.writeFile(here!, 'example.org\n')
    await fs.writeFile(there!, 'example.org\n')

    const first = await identityOf(`fetch.blockUrls=${here}`)
    const moved = await identityOf(`fetch.blockUrls=${there}`)
    await fs.writeFile(there!, 'example.net\n')
    const edited = await identityOf(`fetch.blockUrls=${there}`)

    expect(moved.identity).toEqual(first.identity)
    expect(edited.runId).not.toBe(first.runId)
  })
})

describe('inTodaysTerms', () => {
  it('fills in what came since and keeps lists by content', async () => {
    const folder = await temporaryFolder()
    const list = path.join(folder, 'list.txt')
    await fs.writeFile(list, 'example.org\n')
    const { identity, config } = await identityOf(`fetch.blockUrls=${list}`, 'image.minSide=8')
    const { dropEmoji: _, ...caption } = config.caption
    const older = makeManifest({
      config: JSON.parse(JSON.stringify({ ...config, caption, filter: { gone: 1 } })) as Json,
      identity,
    })
    await fs.rm(list)

    expect(inTodaysTerms('run', older).identity).toEqual(identity)
  })
})
