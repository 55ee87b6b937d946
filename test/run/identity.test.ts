import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import type { Json } from '../../src/core/types.ts'
import { assertSameRun, canonicalJson, runIdOf } from '../../src/run/identity.ts'
import { makeManifest } from '../helpers/commits.ts'

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
