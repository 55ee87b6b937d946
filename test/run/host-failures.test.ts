import { describe, expect, it } from 'vitest'
import type { ReasonCode } from '../../src/core/reasons.ts'
import { readHostFailures } from '../../src/run/host-failures.ts'
import type { RunStore } from '../../src/store/run-store.ts'
import { beginShard, publishShard } from '../../src/store/shards.ts'
import { makeCommit } from '../helpers/commits.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'

async function commit(
  store: RunStore,
  shard: number,
  lost: readonly (readonly [host: string | undefined, code: ReasonCode])[],
) {
  const { counts } = makeCommit()
  const reasons: Partial<Record<ReasonCode, number>> = {}
  const lines = lost.map(([host, code], row) => {
    reasons[code] = (reasons[code] ?? 0) + 1
    return `${JSON.stringify({ key: '', row, stage: 'fetch', code, detail: '', host })}\n`
  })
  const rejects = lost.length
  const record = makeCommit({
    shard,
    reasons,
    counts: { ...counts, groundings: 10 - rejects, rejects },
  })
  const attempt = await beginShard(store, record)
  await attempt.write('rejects.jsonl', lines.join(''))
  await publishShard(attempt, record)
  return record
}

describe('readHostFailures', () => {
  it('adds up rejects over shards, hosts with most rows first', async () => {
    const store = createMemoryStore(createMemory(''))
    const commits = [
      await commit(store, 0, [
        ['b', 'http_4xx'],
        ['a', 'deadline'],
        ['b', 'http_5xx'],
        [undefined, 'caption_empty'],
      ]),
      await commit(store, 1, [
        ['b', 'http_5xx'],
        ['c', 'deadline'],
      ]),
      await commit(store, 2, []),
    ]

    expect((await readHostFailures(store, commits)).slice(0, 2)).toEqual([
      { host: 'b', rows: 3, reasons: { http_5xx: 2, http_4xx: 1 } },
      { host: 'a', rows: 1, reasons: { deadline: 1 } },
    ])
  })
})
