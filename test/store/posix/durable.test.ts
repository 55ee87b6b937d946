import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { FatalError } from '../../../src/core/errors.ts'
import {
  failedWrite,
  makeFolder,
  publishFile,
  writeSynced,
} from '../../../src/store/posix/durable.ts'
import { createImagesTar, readImagesTar } from '../../../src/store/images-tar.ts'
import { mountSmallDisk } from '../../helpers/small-disk.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

describe('writeSynced', () => {
  it('tells size and hash of what it wrote, and overwrites nothing', async () => {
    const file = path.join(await temporaryFolder(), 'a')

    const digest = await writeSynced(file, 'dög')

    const sha256 = createHash('sha256').update('dög').digest('hex')
    expect(digest).toEqual({ size: 4, sha256 })
    await expect(writeSynced(file, 'cat')).rejects.toThrow('EEXIST')
    expect(await fs.readFile(file, 'utf8')).toBe('dög')
  })
})

describe('publishFile', () => {
  it('lets one of many writers win and leaves nothing else behind', async () => {
    const folder = await temporaryFolder()
    const file = path.join(folder, 'run.json')

    const contents = Array.from({ length: 10 }, (_, index) => `writer ${index}`)
    const won = await Promise.all(contents.map((content) => publishFile(file, content)))

    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await fs.readFile(file, 'utf8')).toBe(contents[won.indexOf(true)])
    expect(await fs.readdir(folder)).toEqual(['run.json'])
  })
})

describe('makeFolder', () => {
  it('makes what is missing, once', async () => {
    const folder = path.join(await temporaryFolder(), 'a/b/c')

    await Promise.all([makeFolder(folder), makeFolder(folder)])
    await makeFolder(folder)

    expect((await fs.stat(folder)).isDirectory()).toBe(true)
  })

  it.each(['file', 'file/below'])('names a file that is in the way of %s', async (name) => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'file'), '')

    await expect(makeFolder(path.join(folder, name))).rejects.toThrow(FatalError)
    await expect(makeFolder(path.join(folder, name))).rejects.toThrow(/cannot write .*file/)
  })

  it('names a file system that is read-only', async (test) => {
    const disk = await mountSmallDisk('size=1m,ro')
    if (disk === undefined) return test.skip('cannot mount a read-only tmpfs here')

    await expect(makeFolder(path.join(disk.path, 'a/b'))).rejects.toThrow(
      /the file system is read-only/,
    )
  })
})

describe('failedWrite', () => {
  it('leaves errors alone that are not the disk’s', () => {
    const error = new TypeError('a bug')

    expect(failedWrite('file', error)).toBe(error)
  })
})

describe('images.tar', () => {
  it('has the same bytes for the same images, and gives them back', async () => {
    const folder = await temporaryFolder()
    const images = ['one', 'two', ''].map((text, index) => ({
      key: `000000000${index}`,
      bytes: Buffer.from(text.repeat(400)),
    }))
    const write = async (name: string) => {
      const tar = createImagesTar(path.join(folder, name))
      for (const { key, bytes } of images) await tar.add(key, 'png', bytes)
      return tar.close()
    }

    const digests = [await write('a.tar'), await write('b.tar')]

    expect(digests[1]).toEqual(digests[0])
    const read = []
    for await (const { key, name, bytes } of readImagesTar(path.join(folder, 'a.tar'))) {
      expect(name).toBe(`${key}.png`)
      read.push({ key, bytes })
    }
    expect(read).toEqual(images)
  })

  it('is what tar-stream would write', async () => {
    const file = path.join(await temporaryFolder(), 'images.tar')
    const reference = pack()
    const tar = createImagesTar(file)
    for (const size of [0, 1, 511, 512, 513, 70_000]) {
      const key = String(size).padStart(10, '0')
      const bytes = Buffer.alloc(size, size + 1)
      await tar.add(key, 'jpg', bytes)
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
    const tar = createImagesTar(path.join(disk.path, 'images.tar'))
    const add = async () => {
      for (let index = 0; index < 8; index++) {
        await tar.add(String(index), 'png', Buffer.alloc(32_000))
      }
      await tar.close()
    }

    await expect(add()).rejects.toThrow(/the disk is full/)
    await expect(tar.add('9', 'png', Buffer.alloc(10))).rejects.toThrow(/the disk is full/)
    await expect(tar.close()).rejects.toThrow(/the disk is full/)
    await tar.abort()
  })

  it('names a tar that is cut', async () => {
    const folder = await temporaryFolder()
    const file = path.join(folder, 'images.tar')
    const tar = createImagesTar(file)
    await tar.add('0', 'png', Buffer.alloc(5000))
    await tar.close()
    await fs.truncate(file, 2000)

    const read = async () => {
      for await (const image of readImagesTar(file)) expect(image.bytes.length).toBe(5000)
    }

    await expect(read()).rejects.toThrow(/images\.tar: /)
  })
})
