import { describe, expect, it, vi } from 'vitest'
import { FatalError } from '../../src/core/errors.ts'
import { labelShards } from '../../src/run/label-shards.ts'
import { runShard } from '../../src/run/run-shard.ts'
import { readFailures } from '../../src/run/summary.ts'
import type { CommitRecord } from '../../src/store/commit-record.ts'
import { fakeTools, recordingProgress, shardOf, type FakeRow } from '../helpers/fake-tools.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const never = new AbortController().signal

/** Shards of one row each. */
async function makeRun(rows: readonly FakeRow[]) {
  const store = createMemoryStore(createMemory(await temporaryFolder()))
  const { tools, world } = fakeTools(store, rows, { shardsInFlight: 3 })
  const shards = rows.map((_, id) => shardOf(id, id, id + 1))
  const commits = new Map<number, CommitRecord>()
  const { progress, told } = recordingProgress()
  const label = (signal = never) => labelShards(shards, { tools, progress, signal, commits })
  return { store, tools, world, shards, commits, told, label }
}

describe('labelShards', () => {
  it('labels all shards and counts their rows', async () => {
    const { commits, told, label } = await makeRun(Array<FakeRow>(10).fill('good'))

    await label()

    expect([...commits.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(told).toMatchObject({ rows: 10, warnings: [] })
  })

  it('takes what another process has committed since', async () => {
    const { tools, world, shards, commits, told, label } = await makeRun(['good', 'good'])
    const theirs = await runShard(shards[0]!, tools, never)
    const asked = world.asked.length

    await label()

    expect(commits.get(0)).toEqual(theirs)
    expect(world.asked).toHaveLength(asked + 1)
    expect(told.rows).toBe(2)
  })

  it('takes a committed shard to its next version', async () => {
    const { world, commits, label } = await makeRun(['busy'])
    await label()
    world.isWell = true

    await label()

    expect(commits.get(0)).toMatchObject({ version: 2, counts: { groundings: 1 } })
  })

  it('tries a failed shard again at the end, then leaves a note and goes on', async () => {
    const { store, commits, told, label } = await makeRun(['shard-fails', 'good', 'good'])

    await label()

    expect([...commits.keys()].sort()).toEqual([1, 2])
    expect(told.rows).toBe(2)
    expect(told.warnings).toEqual([
      'shard 0: the source is away; tried again at the end',
      'shard 0 failed: the source is away',
    ])
    expect(await readFailures(store, [...commits.values()])).toMatchObject([
      { shard: 0, error: 'the source is away' },
    ])
  })

  it('gives up when every shard fails', async () => {
    const { label } = await makeRun(Array<FakeRow>(40).fill('shard-fails'))

    await expect(label()).rejects.toThrow(/20 shards failed in a row; the last: the source is away/)
  })

  it('stops all at once for what no shard can go on after', async () => {
    const { commits, label } = await makeRun(['run-fails', ...Array<FakeRow>(30).fill('good')])

    await expect(label()).rejects.toThrow(FatalError)
    expect(commits.size).toBeLessThan(30)
  })

  it('begins nothing after a request to stop', async () => {
    const { commits, label } = await makeRun(['good'])

    await expect(label(AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
    expect(commits.size).toBe(0)
  })

  it('waits for a shard that another process holds, which may die', async () => {
    const { store, commits, label } = await makeRun(['good', 'good'])
    const release = await store.claim('shards/00000')

    let hasEnded = false
    const labelling = label().then(() => (hasEnded = true))
    await vi.waitUntil(() => commits.has(1), 20_000)
    expect([...commits.keys()]).toEqual([1])
    expect(hasEnded).toBe(false)
    await release!()

    await labelling
    expect(commits.size).toBe(2)
  })
})
