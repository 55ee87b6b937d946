import fs from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError, InputError } from '../../src/core/errors.ts'
import type { Json } from '../../src/core/types.ts'
import {
  assertSameRun,
  canonicalJson,
  openManifest,
  publishManifest,
  publishPlan,
  readManifest,
  readPlan,
  runIdOf,
} from '../../src/store/run-manifest.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { makeManifest } from '../helpers/commits.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

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
})

describe('run.json', () => {
  it('is written once and gives back what was written', async () => {
    const runDir = await temporaryFolder()
    const store = createPosixStore(runDir)
    const manifest = makeManifest()

    expect(await readManifest(store)).toBeUndefined()
    expect(await publishManifest(store, manifest)).toBe(true)
    expect(await publishManifest(store, makeManifest({ runId: 'other' }))).toBe(false)

    expect(await openManifest(runDir)).toEqual(manifest)
    expect(await fs.readdir(runDir)).toEqual(['run.json'])
  })

  it('that is missing or damaged is named', async () => {
    const runDir = await temporaryFolder()

    await expect(openManifest(runDir)).rejects.toThrow(/holds no run\.json/)
    await fs.writeFile(path.join(runDir, 'run.json'), '{')
    await expect(openManifest(runDir)).rejects.toThrow(InputError)
    await expect(openManifest(runDir)).rejects.toThrow(/run\.json is no run of this version/)
  })
})

describe('the plan', () => {
  const shards = [
    { id: 0, start: 0, end: 5, cursor: 0 },
    { id: 1, start: 5, end: 8, cursor: { file: 1, position: null } },
  ]

  it('gives back its shards', async () => {
    const store = createPosixStore(await temporaryFolder())
    await publishPlan(store, 'id', shards)

    expect(await readPlan(store, 'id')).toEqual(shards)
  })

  it('that is missing or damaged is named, with the line', async () => {
    const store = createPosixStore(await temporaryFolder())

    await expect(readPlan(store, 'id')).rejects.toThrow(InputError)
    await expect(readPlan(store, 'id')).rejects.toThrow(/plan-id\.jsonl cannot be read/)
    await store.publish('plan-id.jsonl', `${JSON.stringify(shards[0])}\n{"id": 1}\n`)
    await expect(readPlan(store, 'id')).rejects.toThrow(/plan-id\.jsonl, line 2: not a shard/)
  })
})
