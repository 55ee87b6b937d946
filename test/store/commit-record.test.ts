import { describe, expect, it } from 'vitest'
import { commitRecordSchema } from '../../src/store/commit-record.ts'
import { makeCommit } from '../helpers/commits.ts'

const { counts } = makeCommit()

describe('commitRecordSchema', () => {
  it('takes what a shard writes', () => {
    const record = makeCommit({
      version: 2,
      files: { 'images.tar': { size: 1024, sha256: 'ab'.repeat(32) } },
      counts: { ...counts, groundings: 7, rejects: 3 },
      reasons: { http_4xx: 1, caption_empty: 2 },
    })

    expect(commitRecordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record)
  })

  it.each([
    ['rows that do not add up', { counts: { ...counts, rejects: 1 } }],
    ['reasons that do not add up', { reasons: { http_4xx: 1 } }],
    ['an unknown reason', { reasons: { bad_luck: 0 } }],
    ['a hash that is none', { files: { a: { size: 1, sha256: 'ab' } } }],
    ['another format', { formatVersion: 2 }],
    ['a field that it does not know', { more: 1 }],
  ])('refuses %s', (_, over) => {
    expect(commitRecordSchema.safeParse({ ...makeCommit(), ...over }).success).toBe(false)
  })
})
