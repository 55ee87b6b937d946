import { describe, expect, it } from 'vitest'
import type { Reject } from '../../src/core/reasons.ts'
import { createKeptImages, onlyRows, readKept } from '../../src/run/kept-rows.ts'
import type { StoredImage } from '../../src/store/images-tar.ts'
import type { CommittedShard } from '../../src/store/shards.ts'
import { makeCommit } from '../helpers/commits.ts'
import { makeRow } from '../helpers/runs.ts'

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

async function keysOf(items: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of items) keys.push(key)
  return keys
}

const image = (key: string): StoredImage => ({ key, format: 'png', bytes: Buffer.from(key) })
const reject = (row: number, code: Reject['code']): Reject => ({
  key: String(row),
  row,
  stage: 'fetch',
  code,
  detail: '',
})

describe('readKept', () => {
  it('tells what stays from what may pass by now', async () => {
    const { counts } = makeCommit()
    const shard: CommittedShard = {
      id: 0,
      commit: makeCommit({ counts: { ...counts, droppedPhrases: 4 } }),
      rows: () => each([makeRow({ row: 2 })]),
      rejects: () => each([reject(0, 'http_4xx'), reject(1, 'http_5xx'), reject(3, 'deadline')]),
      images: () => each([image('2')]),
    }

    const kept = await readKept(shard)

    expect(kept.rows.map(({ row }) => row)).toEqual([2])
    expect(kept.rejects.map(({ row }) => row)).toEqual([0])
    expect([...kept.retried]).toEqual([
      [1, 'http_5xx'],
      [3, 'deadline'],
    ])
    expect(kept.droppedPhrases).toBe(4)
    expect(await keysOf(kept.images())).toEqual(['2'])
  })
})

describe('createKeptImages', () => {
  it('hands each image out once, in order', async () => {
    const kept = createKeptImages(each(['01', '03', '04', '09'].map(image)))

    expect(await keysOf(kept.take('02'))).toEqual(['01'])
    expect(await keysOf(kept.take('02'))).toEqual([])
    expect(await keysOf(kept.take('05'))).toEqual(['03', '04'])
    expect(await keysOf(kept.take())).toEqual(['09'])
    expect(await keysOf(kept.take())).toEqual([])
  })

  it('closes what it reads from', async () => {
    let isOpen = true
    async function* images() {
      try {
        yield image('1')
        yield image('2')
      } finally {
        isOpen = false
      }
    }
    const kept = createKeptImages(images())
    await keysOf(kept.take('1'))

    await kept.close()

    expect(isOpen).toBe(false)
  })
})

describe('onlyRows', () => {
  it('leaves out the others', async () => {
    const items = [0, 1, 2, 3].map((row) => ({ row, key: String(row) }))

    expect(await keysOf(onlyRows(each(items), new Map([[1, ''], [3, '']])))).toEqual(['1', '3']) // prettier-ignore
  })
})
