import { describe, expect, it } from 'vitest'
import { SampleError } from '../../src/core/errors.ts'
import type { ImageRef, SourceRow } from '../../src/core/types.ts'
import type { ImageLoader } from '../../src/ingest/image/load.ts'
import { runOptionsSchema } from '../../src/run/options.ts'
import { loadShardImages } from '../../src/run/shard-images.ts'
import type { FetchJournal } from '../../src/store/run-store.ts'
import { fakeTools, imageAt } from '../helpers/fake-tools.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const never = new AbortController().signal
const at = (url: string): ImageRef => ({ kind: 'url', url })

/** Asks for images of the same journal again and again. */
async function makeImages(over: Partial<ImageLoader> = {}) {
  const store = createMemoryStore(createMemory(await temporaryFolder()))
  const { tools, world } = fakeTools(store, [])
  const load = async (
    images: readonly ImageRef[],
    run: Readonly<Record<string, unknown>> = {},
    use: (journal: FetchJournal) => void = () => undefined,
  ) => {
    const rows = images.map((image, row): SourceRow => ({ row, image, caption: 'a dog' }))
    const journal = await store.openJournal({ shard: 0, version: 1 })
    use(journal)
    const fates: string[] = []
    const order: number[] = []
    const shared = {
      images: { ...tools.images, ...over },
      journal,
      options: runOptionsSchema.parse(run),
      kept: [],
      onError: ({ row }: SourceRow, { code }: SampleError) => {
        fates[row] = code
      },
      timed: <T>(_: string, work: () => Promise<T>) => work(),
    }
    async function* source() {
      yield* rows
    }
    try {
      for await (const { row, read } of loadShardImages(source(), { ...shared, signal: never })) {
        order.push(row.row)
        fates[row.row] = Buffer.from(await read()).toString()
      }
      return { fates, order }
    } finally {
      await journal.close()
    }
  }
  return { load, world }
}

describe('loadShardImages', () => {
  it('gives images in row order and tells why others have none', async () => {
    const { load } = await makeImages()
    const bytes: ImageRef = { kind: 'bytes', bytes: Buffer.from('inside'), name: 'a' }
    const file: ImageRef = { kind: 'file', path: 'a.jpg' }

    const { fates, order } = await load([at('http://a'), at('http://gone'), bytes, file])

    expect(fates).toEqual(['image at http://a', 'http_4xx', 'inside', 'image at a.jpg'])
    expect(order).toEqual([0, 2, 3])
  })

  it('asks once for a URL, also after a kill', async () => {
    const { load, world } = await makeImages()
    const images = ['http://a', 'http://gone', 'http://a', 'http://gone'].map(at)

    const first = await load(images)
    const second = await load(images)

    expect(second).toEqual(first)
    expect(first.fates).toEqual([
      imageAt('http://a').toString(),
      'http_4xx',
      imageAt('http://a').toString(),
      'http_4xx',
    ])
    expect(world.asked).toEqual(['http://a', 'http://gone'])
  })

  it.each(['host_circuit_open', 'blocklist_hash'] as const)('writes no %s down', async (code) => {
    const { load } = await makeImages({
      receive: () => Promise.reject(new SampleError(code, 'not asked')),
    })
    let journal: FetchJournal | undefined

    const { fates } = await load([at('http://a')], {}, (opened) => (journal = opened))

    expect(fates).toEqual([code])
    await load([], {}, (opened) => (journal = opened))
    expect(journal?.find('http://a')).toBeUndefined()
  })

  it('refuses by knob what repeats in a shard', async () => {
    const { load, world } = await makeImages()
    const images = ['http://a', 'http://a', 'http://b'].map(at)

    const urls = await load(images, { duplicates: { url: 'reject' } })
    const contents = await load(images, { duplicates: { content: 'reject' } })

    expect(urls.fates[1]).toBe('duplicate_url')
    expect(contents.fates[1]).toBe('duplicate_content')
    expect([urls.order, contents.order]).toEqual([
      [0, 2],
      [0, 2],
    ])
    expect(world.asked).toEqual(['http://a', 'http://b'])
  })

  it('passes on what is no failure of a row', async () => {
    const { load } = await makeImages({
      check: () => Promise.reject(new TypeError('a bug')),
    })

    await expect(load([at('http://a')])).rejects.toThrow('a bug')
  })

  it('holds no more images than were asked for ahead', async () => {
    let [running, most] = [0, 0]
    const { load } = await makeImages({
      receive: async (_, __, use) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return use({ bytes: Buffer.from('x') })
      },
    })
    const images = Array.from({ length: 40 }, (_, row) => at(`http://a/${row}`))

    const { order } = await load(images, { fetchAhead: 5 })

    expect(order).toHaveLength(40)
    expect(most).toBe(5)
  })
})
