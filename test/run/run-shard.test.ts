import { describe, expect, it } from 'vitest'
import { FatalError, ShardError } from '../../src/core/errors.ts'
import type { CommitRecord } from '../../src/store/commit-record.ts'
import type { RunStore } from '../../src/store/run-store.ts'
import { findCommit, openShard } from '../../src/store/shards.ts'
import { runShard } from '../../src/run/run-shard.ts'
import { fakeTools, imageAt, shardOf, urlOf, type FakeRow } from '../helpers/fake-tools.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const never = new AbortController().signal

async function newStore() {
  const memory = createMemory(await temporaryFolder())
  return { memory, store: createMemoryStore(memory) }
}

/** Keys of images, and the fate of each row: "grounded" or a reject's code. */
async function fatesOf(store: RunStore, commit: CommitRecord) {
  const shard = openShard(store, commit)
  const fates: string[] = []
  const images: string[] = []
  for await (const { row } of shard.rows()) fates[row] = 'grounded'
  for await (const { row, code } of shard.rejects()) fates[row] = code
  for await (const { key, bytes } of shard.images()) images.push(`${key} ${bytes.toString()}`)
  return { fates, images }
}

const ROWS: readonly FakeRow[] = [
  'good',
  'empty',
  'unreadable',
  'gone',
  'busy',
  'undecodable',
  'unteachable',
  'good',
]
const stored = (row: number) =>
  `000030000${row} ${imageAt(urlOf(row, ROWS[row] as string)).toString()}`

describe('runShard', () => {
  it('ends every row once and publishes the shard', async () => {
    const { store } = await newStore()
    let rows = 0
    const { tools } = fakeTools(store, ROWS)

    const record = await runShard(shardOf(3, 0, 8), { ...tools, onRow: () => rows++ }, never)

    expect(rows).toBe(8)
    expect(record).toMatchObject({
      shard: 3,
      version: 1,
      rows: { start: 0, end: 8 },
      counts: { groundings: 2, rejects: 6, phrases: 2, candidates: 2, droppedPhrases: 0 },
      reasons: { http_4xx: 1, http_5xx: 1, phrases_none: 1, row_malformed: 1 },
    })
    expect(await findCommit(store, 3)).toEqual(record)
    expect(await fatesOf(store, record!)).toEqual({
      fates: [
        'grounded',
        'phrases_none',
        'row_malformed',
        'http_4xx',
        'http_5xx',
        'decode_error',
        'teacher_failed',
        'grounded',
      ],
      // The image of row 6 was stored before the teacher refused it.
      images: [stored(0), stored(7)],
    })
  })

  it('takes a shard to its next version as if nothing had failed', async () => {
    const { store } = await newStore()
    const { tools, world } = fakeTools(store, ROWS)
    const shard = shardOf(3, 0, 8)
    const first = (await runShard(shard, tools, never))!
    world.asked.length = 0

    expect(await runShard(shard, tools, never, first)).toBeUndefined()
    expect(await findCommit(store, 3)).toEqual(first)
    world.isWell = true
    world.asked.length = 0
    const second = (await runShard(shard, tools, never, first))!

    expect(world.asked).toEqual([urlOf(4, 'busy'), urlOf(6, 'unteachable')])
    expect(second).toMatchObject({ version: 2, counts: { groundings: 4, rejects: 4 } })
    const other = await newStore()
    const well = fakeTools(other.store, ROWS)
    well.world.isWell = true
    const whole = (await runShard(shard, well.tools, never))!
    expect(second.files).toEqual(whole.files)
    expect((await fatesOf(store, second)).images).toEqual([0, 4, 6, 7].map(stored))
  })

  it('refers to local files in place, and has no archive then', async () => {
    const { store } = await newStore()
    const rows = [{ image: { kind: 'file' as const, path: 'a.jpg' } }]

    const auto = (await runShard(shardOf(0, 0, 1), fakeTools(store, rows).tools, never))!
    const always = fakeTools(store, rows, { storeImages: 'always' })
    const kept = (await runShard(shardOf(1, 0, 1), always.tools, never))!

    expect(Object.keys(auto.files)).toEqual(['groundings.parquet', 'rejects.jsonl'])
    expect((await fatesOf(store, kept)).images).toEqual(['0000100000 image at a.jpg'])
  })

  it('publishes nothing when it fails, and asks for nothing twice afterwards', async () => {
    const { memory, store } = await newStore()
    const failing = fakeTools(store, ['good', 'gone', 'shard-fails'])
    const mended = fakeTools(store, ['good', 'gone', 'good'])
    const shard = shardOf(0, 0, 3)

    await expect(runShard(shard, failing.tools, never)).rejects.toThrow(ShardError)
    expect([memory.files.size, memory.attempts.size]).toEqual([0, 0])
    const record = await runShard(shard, mended.tools, never)

    expect(record).toMatchObject({ counts: { groundings: 2, rejects: 1 } })
    const asked = [...failing.world.asked, ...mended.world.asked]
    expect(new Set(asked).size).toBe(asked.length)
  })

  it('leaves a fatal error to its caller', async () => {
    const { memory, store } = await newStore()
    const { tools } = fakeTools(store, ['good', 'run-fails'])

    await expect(runShard(shardOf(0, 0, 2), tools, never)).rejects.toThrow(FatalError)
    expect(memory.attempts.size).toBe(0)
  })

  it('stops with the reason of its signal', async () => {
    const { store } = await newStore()
    const { tools } = fakeTools(store, ['good', 'good'])
    const controller = new AbortController()
    const onRow = () => {
      controller.abort(new Error('stopped'))
    }

    const running = runShard(shardOf(0, 0, 2), { ...tools, onRow }, controller.signal)

    await expect(running).rejects.toThrow('stopped')
    expect(await findCommit(store, 0)).toBeUndefined()
  })

  it('gives way to whoever was first', async () => {
    const { store } = await newStore()
    const { tools } = fakeTools(store, ['good'])
    const shard = shardOf(0, 0, 1)

    const records = await Promise.all([
      runShard(shard, tools, never),
      runShard(shard, tools, never),
    ])

    expect(records.filter((record) => record !== undefined)).toEqual([await findCommit(store, 0)])
  })
})
