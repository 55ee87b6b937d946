import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { publishManifest } from '../../src/store/run-manifest.ts'
import { beginShard, publishShard } from '../../src/store/shards.ts'
import { makeCommit, makeManifest } from '../helpers/commits.ts'
import { runMain } from '../helpers/main.ts'
import { makeRow, makeRun as makeGroundings } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** Three shards of ten rows; two are committed, the third failed. */
async function makeRun(): Promise<string> {
  const runDir = await temporaryFolder()
  const store = createPosixStore(runDir)
  await store.prepare()
  await publishManifest(store, makeManifest({ plan: { shards: 3, rows: 30 } }))
  const counts = { groundings: 6, rejects: 4, phrases: 12, candidates: 24, droppedPhrases: 0 }
  const reasons = { caption_empty: 3, dns_timeout: 1 }
  for (const shard of [0, 1]) {
    const attempt = await beginShard(store, { shard, version: 1 })
    await publishShard(attempt, makeCommit({ shard, counts, reasons }))
  }
  const failure = { shard: 2, at: '2026-01-01T00:00:00.000Z', error: 'cannot open rows.tsv' }
  await fs.writeFile(path.join(runDir, 'failures.jsonl'), `${JSON.stringify(failure)}\n`)
  return runDir
}

describe('groundmill status', () => {
  it('tells progress, rate, time left, losses by stage and reason, failed shards', async () => {
    const { code, stdout } = await runMain('status', await makeRun())

    expect(code).toBe(0)
    expect(stdout).toMatch(/shards +2 of 3 committed/)
    expect(stdout).toMatch(/rows +20 of 30/)
    expect(stdout).toMatch(/groundings +12 \(60\.0 %\)/)
    expect(stdout).toMatch(/rate +20\.0 rows\/s, 1s left/)
    expect(stdout).toMatch(/lost at +caption 6, fetch 2/)
    expect(stdout).toMatch(/dns_timeout +2 {2}\(fetch, may succeed later\)/)
    expect(stdout).toMatch(/failed shards\n +2 .*cannot open rows\.tsv/)
  })

  it('tells the same as JSON', async () => {
    const runDir = await makeRun()

    const { stdout } = await runMain('status', runDir, '--json')

    expect(JSON.parse(stdout)).toMatchObject({
      dir: runDir,
      isComplete: false,
      shards: { total: 3, committed: 2 },
      reasons: { caption_empty: 6, dns_timeout: 2 },
      stages: { caption: 6, fetch: 2 },
      rowsPerSecond: 20,
      etaSeconds: 0.5,
      failedShards: [{ shard: 2, error: 'cannot open rows.tsv' }],
      damagedShards: [],
    })
  })

  it('tells which versions labelled the shards, if there are several', async () => {
    const runDir = await makeRun()
    const one = await runMain('status', runDir, '--json')
    const { stats } = makeCommit()
    const attempt = await beginShard(createPosixStore(runDir), { shard: 2, version: 1 })
    const record = makeCommit({ shard: 2, stats: { ...stats, version: '0.2.0' } })
    await publishShard(attempt, record)

    const text = await runMain('status', runDir)
    const json = await runMain('status', runDir, '--json')

    expect(JSON.parse(one.stdout)).not.toHaveProperty('versions')
    expect(text.stdout).toContain('\nversions    0.0.0 (2 shards), 0.2.0 (1 shard)\n')
    expect(JSON.parse(json.stdout)).toMatchObject({ versions: { '0.0.0': 2, '0.2.0': 1 } })
  })

  it('counts concepts over all shards', async () => {
    const rows = [0, 1, 2].map((row) =>
      makeRow({ row, phrases: ['a brown dog/dog', 'two kites/kites/kite'] }),
    )
    const runDir = await makeGroundings(await temporaryFolder(), { rows, samplesPerShard: 2 })

    const text = await runMain('status', runDir, '--concepts')
    const json = await runMain('status', runDir, '--concepts', '--json')

    expect(text.stdout).toMatch(/concepts +6 phrases, 2 different, 0 seen once/)
    expect(JSON.parse(json.stdout)).toMatchObject({
      concepts: {
        total: 6,
        distinctHeads: 2,
        topHeads: [
          { name: 'dog', count: 3 },
          { name: 'kite', count: 3 },
        ],
      },
    })
  })

  it('sees nothing of shards that are being made', async () => {
    const runDir = await makeRun()
    await beginShard(createPosixStore(runDir), { shard: 2, version: 1 })

    expect((await runMain('status', runDir)).stdout).toMatch(/shards +2 of 3/)
  })

  it.each([
    ['is cut', '{"formatVersion": 1'],
    ['is of another shard', JSON.stringify(makeCommit({ shard: 7 }))],
    ['does not add up', JSON.stringify(makeCommit({ shard: 1, reasons: { http_4xx: 1 } }))],
  ])('names a record that %s, beside what is sound', async (_, content) => {
    const runDir = await makeRun()
    await fs.writeFile(path.join(runDir, 'shards/00001/commit.json'), content)

    const { code, stdout, stderr } = await runMain('status', runDir, '--json')

    expect(code).toBe(65)
    expect(stderr).toMatch(/00001\/commit\.json does not parse; remove the folder/)
    expect(JSON.parse(stdout)).toMatchObject({
      shards: { committed: 1 },
      damagedShards: [{ shard: 1 }],
    })
  })

  it('says that a folder holds no run, or a damaged one', async () => {
    const runDir = await temporaryFolder()

    const none = await runMain('status', runDir)
    await fs.writeFile(path.join(runDir, 'run.json'), '{"formatVersion": 99}')
    const damaged = await runMain('status', runDir)

    expect(none).toMatchObject({ code: 65, stdout: '' })
    expect(none.stderr).toContain('holds no run.json')
    expect(damaged).toMatchObject({ code: 65, stdout: '' })
    expect(damaged.stderr).toContain('run.json is no run of this version')
  })
})
