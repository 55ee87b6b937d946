import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readFailures, summarize } from '../../src/run/summary.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { makeCommit, makeManifest } from '../helpers/commits.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const { stats } = makeCommit()
const at = (shard: number, startedAt: string, seconds: number) =>
  makeCommit({ shard, stats: { ...stats, startedAt, seconds } })

describe('summarize', () => {
  it('adds up commit records, whatever their order', () => {
    const counts = { groundings: 7, rejects: 3, phrases: 8, candidates: 9, droppedPhrases: 1 }
    const commits = [
      makeCommit({ shard: 0, counts, reasons: { http_429: 1, caption_empty: 2 } }),
      makeCommit({ shard: 2, counts, reasons: { http_4xx: 3 } }),
    ]
    const manifest = makeManifest({ plan: { shards: 3, rows: 30 } })

    const summary = summarize(manifest, commits)

    expect(summary).toEqual(summarize(manifest, commits.toReversed()))
    expect(summary).toMatchObject({
      isComplete: false,
      shards: { total: 3, committed: 2 },
      rows: { total: 30, committed: 20 },
      counts: { groundings: 14, rejects: 6, phrases: 16, candidates: 18, droppedPhrases: 2 },
      reasons: { http_4xx: 3, caption_empty: 2, http_429: 1 },
      stages: { caption: 2, fetch: 4 },
    })
    expect(Object.keys(summary.stages)).toEqual(['caption', 'fetch'])
  })

  it('takes the rate of the last hour alone, over shards that overlap', () => {
    const summary = summarize(makeManifest({ plan: { shards: 5, rows: 50 } }), [
      at(0, '2026-01-01T00:00:00Z', 10), // another day
      at(1, '2026-01-02T00:00:00Z', 10),
      at(2, '2026-01-02T00:00:00Z', 10),
      at(3, '2026-01-02T00:00:10Z', 5),
    ])

    expect(summary.rowsPerSecond).toBe(2) // 30 rows in 15 s
    expect(summary.etaSeconds).toBe(5)
  })

  it('counts shards by the version that labelled them, if there are several', () => {
    const manifest = makeManifest({ plan: { shards: 5, rows: 50 } })
    const by = (shard: number, version: string) =>
      makeCommit({ shard, stats: { ...stats, version } })
    const commits = [by(0, '0.10.0'), by(1, '0.9.1'), by(2, '0.10.0')]

    expect(Object.entries(summarize(manifest, commits).versions ?? {})).toEqual([
      ['0.9.1', 1],
      ['0.10.0', 2],
    ])
    expect(summarize(manifest, [by(0, '0.9.1')])).not.toHaveProperty('versions')
  })

  it('knows no rate before the first commit and no time left after the last', () => {
    const manifest = makeManifest({ plan: { shards: 1, rows: 10 } })

    expect(summarize(manifest, [])).toMatchObject({ rowsPerSecond: 0, etaSeconds: null })
    expect(summarize(manifest, [makeCommit()])).toMatchObject({
      isComplete: true,
      etaSeconds: null,
    })
  })
})

describe('readFailures', () => {
  it('gives the last failure of each shard that is not committed since', async () => {
    const runDir = await temporaryFolder()
    const line = (shard: number, error: string) =>
      JSON.stringify({ shard, at: '2026-01-01T00:00:00Z', host: 'h', error })
    const lines = [line(2, 'first'), line(1, 'done since'), line(2, 'last'), '{"shard": 3, "a']
    await fs.writeFile(path.join(runDir, 'failures.jsonl'), lines.join('\n'))

    const failures = await readFailures(createPosixStore(runDir), [makeCommit({ shard: 1 })])

    expect(failures).toEqual([{ shard: 2, at: '2026-01-01T00:00:00Z', error: 'last' }])
  })

  it('gives nothing where nothing failed', async () => {
    expect(await readFailures(createPosixStore(await temporaryFolder()), [])).toEqual([])
  })
})
