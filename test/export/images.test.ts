import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { imageName, openShardImages } from '../../src/export/images.ts'
import type { StoredImage } from '../../src/store/images-tar.ts'
import { makeRow } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const rowOf = (index: number, url: string | null = null) =>
  makeRow({ row: index, key: `00003${String(index).padStart(5, '0')}`, url })

/** A shard with images of some rows; says which were taken out of the archive. */
function shardWith(...rows: number[]) {
  const log: string[] = []
  async function* images(): AsyncGenerator<StoredImage> {
    try {
      for (const index of rows) {
        const { key } = rowOf(index)
        log.push(`read ${index}`)
        yield { key, format: 'jpg', bytes: Buffer.from(`image ${index}`) }
      }
    } finally {
      log.push('closed')
    }
  }
  return { log, shard: { id: 3, images } }
}

describe('imageName', () => {
  it('is the place below images/, or the file itself', () => {
    const row = rowOf(1, '/data/a.jpg')

    expect(imageName(row, { id: 3 }, 'copy')).toBe('00003/0000300001.jpg')
    expect(imageName(row, { id: 3 }, 'none')).toBe('00003/0000300001.jpg')
    expect(imageName(row, { id: 3 }, 'reference')).toBe('/data/a.jpg')
  })

  it.each([
    [null, 'inside an archive'],
    ['https://a/b.jpg', 'https://a/b.jpg'],
    ['s3://a/b.jpg', 's3://a/b.jpg'],
  ])('refuses to refer to %s', (url, where) => {
    expect(() => imageName(rowOf(1, url), { id: 3 }, 'reference')).toThrow(
      `reference needs local image files, but 0000300001 is ${where}; use copy`,
    )
  })
})

describe('openShardImages', () => {
  it('passes over images that nobody asks for, and reads none twice', async () => {
    const { shard, log } = shardWith(0, 1, 2, 5)
    const images = openShardImages(shard)

    expect(log).toEqual([])
    expect(String(await images.read(rowOf(1)))).toBe('image 1')
    expect(String(await images.read(rowOf(1)))).toBe('image 1')
    expect(String(await images.read(rowOf(2)))).toBe('image 2')
    expect(log).toEqual(['read 0', 'read 1', 'read 2'])
    await images.close()
    expect(log.at(-1)).toBe('closed')
  })

  it('takes from its place what the archive has not', async () => {
    const { shard } = shardWith(0, 2)
    const folder = await temporaryFolder()
    const file = path.join(folder, 'one')
    await fs.writeFile(file, 'image 1')
    const images = openShardImages(shard)

    for (const [index, url] of [null, file, null].entries()) {
      const to = path.join(folder, `to-${index}`)
      await images.copy(rowOf(index, url), to)
      expect(await fs.readFile(to, 'utf8')).toBe(`image ${index}`)
      expect(String(await images.read(rowOf(index, url)))).toBe(`image ${index}`)
    }
    await images.close()
  })

  it('says which image is gone, and from where', async () => {
    const images = openShardImages(shardWith(0).shard)

    await expect(images.read(rowOf(1))).rejects.toThrow(
      'the archive of shard 3: the image of 0000300001 is not there; restore it',
    )
    await expect(images.copy(rowOf(2, '/no/a.jpg'), '/no/b.jpg')).rejects.toThrow(
      '/no/a.jpg: the image of 0000300002 is not there; restore it',
    )
  })

  it('opens no archive for images that are referenced', async () => {
    const { shard, log } = shardWith()
    const images = openShardImages(shard)
    await images.close()
    expect(log).toEqual([])
  })
})
