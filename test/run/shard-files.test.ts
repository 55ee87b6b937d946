import { describe, expect, it } from 'vitest'
import type { KeptRows } from '../../src/run/kept-rows.ts'
import { ShardFiles } from '../../src/run/shard-files.ts'
import { readImagesTar, type StoredImage } from '../../src/store/images-tar.ts'
import { beginShard } from '../../src/store/shards.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'
import { makeRow } from '../helpers/runs.ts'

const NOTHING = { rows: [], rejects: [] }
const bytesOf = (key: string) => Buffer.from(`image ${key}`)

/** @param before keys of images of the version before */
async function makeFiles(before?: readonly string[]) {
  const attempt = await beginShard(createMemoryStore(createMemory('')), { shard: 0, version: 1 })
  const images = async function* (): AsyncGenerator<StoredImage> {
    for (const key of before ?? []) yield { key, format: 'jpg', bytes: bytesOf(key) }
  }
  const kept: KeptRows = { ...NOTHING, retried: new Map(), droppedPhrases: 0, images }
  const files = new ShardFiles(attempt, before === undefined ? undefined : kept)
  const store = async (...keys: readonly string[]) => {
    for (const key of keys) await files.storeImage({ key, format: 'jpg', bytes: bytesOf(key) })
  }
  const stored = async () => {
    const names: string[] = []
    for await (const { key, format } of readImagesTar(await attempt.open('images.tar')))
      names.push(`${key}.${format}`)
    return names
  }
  return { attempt, files, store, stored }
}

describe('ShardFiles', () => {
  it('writes rows, rejects and images, with their digests', async () => {
    const { attempt, files, store, stored } = await makeFiles()
    await store('1', '2')

    const digests = await files.finish(
      {
        rows: [makeRow({ row: 1 })],
        rejects: [{ key: '3', row: 3, stage: 'caption', code: 'caption_empty', detail: 'é' }],
      },
      'run',
    )

    expect(Object.keys(digests)).toEqual(['groundings.parquet', 'images.tar', 'rejects.jsonl'])
    for (const [name, { size }] of Object.entries(digests)) {
      expect((await attempt.open(name)).size).toBe(size)
    }
    const rejects = await attempt.open('rejects.jsonl')
    expect(Buffer.from(await rejects.read(0, rejects.size)).toString()).toBe(
      '{"key":"3","row":3,"stage":"caption","code":"caption_empty","detail":"é"}\n',
    )
    expect(await stored()).toEqual(['1.jpg', '2.jpg'])
  })

  it('keeps the images of both versions in row order', async () => {
    const { files, store, stored } = await makeFiles(['1', '3', '6'])
    await store('2', '4')

    await files.finish(NOTHING, 'run')

    expect(await stored()).toEqual(['1.jpg', '2.jpg', '3.jpg', '4.jpg', '6.jpg'])
  })

  it('drops images whose rows have failed since, and the archive with the last', async () => {
    const [some, all] = [await makeFiles(), await makeFiles()]
    for (const { files, store } of [some, all]) {
      await store('1', '2')
      files.forgetImage('2')
      files.forgetImage('7') // never stored
    }
    all.files.forgetImage('1')

    const digests = [
      await some.files.finish(NOTHING, 'run'),
      await all.files.finish(NOTHING, 'run'),
    ]

    expect(await some.stored()).toEqual(['1.jpg'])
    expect((await some.attempt.open('images.tar')).size).toBe(digests[0]!['images.tar']!.size)
    expect(Object.keys(digests[1]!)).toEqual(['groundings.parquet', 'rejects.jsonl'])
    await expect(all.attempt.open('images.tar')).rejects.toThrow(/not there/)
  })

  it('has no archive without images', async () => {
    const { attempt, files } = await makeFiles([])

    expect(Object.keys(await files.finish(NOTHING, 'run'))).not.toContain('images.tar')
    expect(await attempt.open('rejects.jsonl')).toMatchObject({ size: 0 })
    await expect(attempt.open('images.tar')).rejects.toThrow(/not there/)
  })
})
