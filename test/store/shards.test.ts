import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import {
  beginShard,
  committedShards,
  publishShard,
  readCommits,
  shardFolder,
} from '../../src/store/shards.ts'
import { makeCommit } from '../helpers/commits.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

describe('shardFolder', () => {
  it('names the first version by its id alone', () => {
    expect(shardFolder({ shard: 42, version: 1 })).toBe('shards/00042')
    expect(shardFolder({ shard: 123_456, version: 3 })).toBe('shards/123456.v3')
  })
})

describe('committedShards', () => {
  it('opens what was committed', async () => {
    const rows = [0, 1, 2].map((row) => makeRow({ row, boxes: [['a brown dog', 0.5, 1, 2, 3, 4]] }))
    const images = () => Buffer.from('an image')
    const folder = await temporaryFolder()
    const runDir = await makeRun(folder, { rows, samplesPerShard: 2, images })
    const seen: unknown[] = []

    for await (const shard of committedShards(createPosixStore(runDir))) {
      for await (const { key } of shard.rows()) seen.push(key)
      for await (const { key, format, bytes } of shard.images()) {
        seen.push([`${key}.${format}`, Buffer.from(bytes)])
      }
    }

    expect(seen).toEqual([
      '0000000000',
      '0000000001',
      ['0000000000.jpg', images()],
      ['0000000001.jpg', images()],
      '0000100000',
      ['0000100000.jpg', images()],
    ])
  })

  it('has no images where they are referenced in place', async () => {
    const rows = [makeRow({ phrases: ['a brown dog'] })]
    const runDir = await makeRun(await temporaryFolder(), { rows })

    for await (const shard of committedShards(createPosixStore(runDir))) {
      for await (const image of shard.images()) expect(image).toBeUndefined()
    }
  })

  it('names a file that is not there', async () => {
    const runDir = await makeRun(await temporaryFolder(), { rows: [makeRow({})] })
    await fs.rm(path.join(runDir, 'shards/00000/groundings.parquet'))
    const read = async () => {
      for await (const shard of committedShards(createPosixStore(runDir))) {
        for await (const row of shard.rows()) expect(row).toBeUndefined()
      }
    }

    await expect(read()).rejects.toThrow(/00000\/groundings\.parquet cannot be read/)
  })
})

describe('readCommits', () => {
  it('refuses a record whose rows do not add up', async () => {
    const runDir = await temporaryFolder()
    const store = createPosixStore(runDir)
    const attempt = await beginShard(store, { shard: 1, version: 1 })
    await publishShard(attempt, makeCommit({ shard: 1 }))
    const { counts } = makeCommit()
    const wrong = makeCommit({ shard: 1, counts: { ...counts, rejects: 1 } })
    await fs.writeFile(path.join(runDir, 'shards/00001/commit.json'), JSON.stringify(wrong))

    await expect(readCommits(store)).rejects.toThrow(/groundings \+ rejects must equal/)
  })
})
