import fs from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { createImagesTar, dropImages, readImagesTar } from '../../src/store/images-tar.ts'
import { createAppendedFile } from '../../src/store/posix/appended-file.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { openStoredFile } from '../../src/store/posix/stored-file.ts'
import { beginShard } from '../../src/store/shards.ts'
import { mountSmallDisk } from '../helpers/small-disk.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

describe('images.tar', () => {
  it('has the same bytes for the same images, and gives them back', async () => {
    const folder = await temporaryFolder()
    const images = ['one', 'two', ''].map((text, index) => ({
      key: `000000000${index}`,
      bytes: Buffer.from(text.repeat(400)),
    }))
    const write = async (name: string) => {
      const tar = createImagesTar(createAppendedFile(path.join(folder, name)))
      for (const { key, bytes } of images) await tar.add({ key, format: 'png', bytes })
      return tar.close()
    }

    const digests = [await write('a.tar'), await write('b.tar')]

    expect(digests[1]).toEqual(digests[0])
    const read = []
    const stored = await openStoredFile(path.join(folder, 'a.tar'))
    for await (const { key, format, bytes } of readImagesTar(stored)) {
      expect(format).toBe('png')
      read.push({ key, bytes })
    }
    await stored.close()
    expect(read).toEqual(images)
  })

  it('is what tar-stream would write', async () => {
    const file = path.join(await temporaryFolder(), 'images.tar')
    const reference = pack()
    const tar = createImagesTar(createAppendedFile(file))
    for (const size of [0, 1, 511, 512, 513, 70_000]) {
      const key = String(size).padStart(10, '0')
      const bytes = Buffer.alloc(size, size + 1)
      await tar.add({ key, format: 'jpg', bytes })
      reference.entry({ name: `${key}.jpg`, mode: 0o644, mtime: new Date(0) }, bytes)
    }
    reference.finalize()

    const { size } = await tar.close()

    const expected = await buffer(reference)
    expect((await fs.readFile(file)).equals(expected)).toBe(true)
    expect(size).toBe(expected.length)
  })

  it('names a full disk in the image after the one that filled it, too', async (test) => {
    const disk = await mountSmallDisk('size=64k')
    if (disk === undefined) return test.skip('cannot mount a small tmpfs here')
    const tar = createImagesTar(createAppendedFile(path.join(disk.path, 'images.tar')))
    const add = async () => {
      for (let index = 0; index < 8; index++) {
        await tar.add({ key: String(index), format: 'png', bytes: Buffer.alloc(32_000) })
      }
      await tar.close()
    }

    await expect(add()).rejects.toThrow(/the disk is full/)
    await expect(tar.add({ key: '9', format: 'png', bytes: Buffer.alloc(10) })).rejects.toThrow(
      /the disk is full/,
    )
    await expect(tar.close()).rejects.toThrow(/the disk is full/)
    await tar.abort()
  })

  it('names a tar that is cut', async () => {
    const folder = await temporaryFolder()
    const file = path.join(folder, 'images.tar')
    const tar = createImagesTar(createAppendedFile(file))
    await tar.add({ key: '0', format: 'png', bytes: Buffer.alloc(5000) })
    await tar.close()
    await fs.truncate(file, 2000)

    const stored = await openStoredFile(file)
    const read = async () => {
      for await (const image of readImagesTar(stored)) expect(image.bytes.length).toBe(5000)
    }

    await expect(read()).rejects.toThrow(/images\.tar: /)
    await stored.close()
  })
})

describe('dropImages', () => {
  it('leaves the archive that would be there without them', async () => {
    const attempt = await beginShard(createPosixStore(await temporaryFolder()), {
      shard: 0,
      version: 1,
    })
    const write = async (name: string, keys: readonly string[]) => {
      const tar = createImagesTar(attempt.append(name))
      for (const key of keys) await tar.add({ key, format: 'png', bytes: Buffer.alloc(3000, key) })
      return tar.close()
    }
    await write('all', ['1', '2', '3', '4'])
    const expected = await write('some', ['1', '4'])

    const digest = await dropImages(attempt, 'all', new Set(['2', '3']))

    expect(digest).toEqual(expected)
    const file = await attempt.open('all')
    expect(file.size).toBe(expected.size)
    await file.close()
    await attempt.discard()
  })
})
