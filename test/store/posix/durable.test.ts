import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { FatalError } from '../../../src/core/errors.ts'
import {
  failedWrite,
  makeFolder,
  publishFile,
  replaceFile,
  writeSynced,
} from '../../../src/store/posix/durable.ts'
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

describe('replaceFile', () => {
  it('takes the place of what was there and leaves nothing else behind', async () => {
    const folder = await temporaryFolder()
    const file = path.join(folder, 'a')
    await fs.writeFile(file, 'old')

    const digest = await replaceFile(file, 'new!')

    expect(digest.size).toBe(4)
    expect(await fs.readFile(file, 'utf8')).toBe('new!')
    expect(await fs.readdir(folder)).toEqual(['a'])
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
