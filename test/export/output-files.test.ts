import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXPORT_RECORD, OutputFolder, writeFolder } from '../../src/export/output-files.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')

describe('OutputFile', () => {
  it('writes text and bytes one behind the other, with the digest of all', async () => {
    const folder = new OutputFolder(await temporaryFolder())
    const file = await folder.create('parts/a.bin')

    await file.write('é')
    await file.write(new Uint8Array([0xff, 0x00]))
    await file.write('z')
    await folder.finish(file)

    const bytes = Buffer.from([0xc3, 0xa9, 0xff, 0x00, 0x7a])
    expect(await fs.readFile(path.join(folder.path, 'parts/a.bin'))).toEqual(bytes)
    expect(folder.files).toEqual({ 'parts/a.bin': { size: 5, sha256: sha256(bytes) } })
  })

  it('holds no more than a megabyte before it writes', async () => {
    const folder = new OutputFolder(await temporaryFolder())
    const file = await folder.create('a')
    const size = async () => (await fs.stat(path.join(folder.path, 'a'))).size

    await file.write(Buffer.alloc(2 ** 20 - 1))
    expect(await size()).toBe(0)
    await file.write('x')
    expect(await size()).toBe(2 ** 20)
    await folder.finish(file)
  })

  it('reads back what was written, also what still waits', async () => {
    const folder = new OutputFolder(await temporaryFolder())
    const file = await folder.create('a')
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251))

    await file.write(bytes)
    const pieces: Uint8Array[] = []
    for await (const piece of file.read()) pieces.push(piece)

    expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
    await folder.discard(file)
    expect(await fs.readdir(folder.path)).toEqual([])
    expect(folder.files).toEqual({})
  })

  it('never takes the place of another', async () => {
    const folder = new OutputFolder(await temporaryFolder())
    await folder.create('a')

    await expect(folder.create('a')).rejects.toThrow('EEXIST')
    await folder.discardAll()
  })
})

describe('writeFolder', () => {
  it('gives the folder its name when all is written', async () => {
    const parent = await temporaryFolder()
    const to = path.join(parent, 'deep/to')

    const result = await writeFolder({ to, overwrite: false }, async (folder) => {
      expect(path.dirname(folder.path)).toBe(path.join(parent, 'deep'))
      expect(path.basename(folder.path)).toMatch(/^\.to\.partial/)
      await folder.finish(await folder.create('a'))
      return 7
    })

    expect(result).toBe(7)
    expect(await fs.readdir(path.join(parent, 'deep'))).toEqual(['to'])
    expect(await fs.readdir(to)).toEqual(['a'])
  })

  it('leaves nothing of a failure, open files included', async () => {
    const parent = await temporaryFolder()

    const failing = writeFolder(
      { to: path.join(parent, 'to'), overwrite: false },
      async (folder) => {
        await (await folder.create('a')).write('half')
        throw new Error('no more')
      },
    )

    await expect(failing).rejects.toThrow('no more')
    expect(await fs.readdir(parent)).toEqual([])
  })

  it('takes an empty folder, and an export only with leave', async () => {
    const to = path.join(await temporaryFolder(), 'to')
    await fs.mkdir(to)
    const write = (name: string, overwrite: boolean) =>
      writeFolder({ to, overwrite }, async (folder) => folder.finish(await folder.create(name)))

    await write(EXPORT_RECORD, false)
    await expect(write('b', false)).rejects.toThrow(/holds an export; .* add --overwrite/)
    await write('b', true)

    expect(await fs.readdir(to)).toEqual(['b'])
    await expect(write('c', true)).rejects.toThrow(/holds other files/)
  })

  it('removes nothing that somebody has written there meanwhile', async () => {
    const to = path.join(await temporaryFolder(), 'to')

    const late = writeFolder({ to, overwrite: false }, async () => {
      await fs.mkdir(to)
      await fs.writeFile(path.join(to, 'theirs'), '')
    })

    await expect(late).rejects.toThrow(/holds other files/)
    expect(await fs.readdir(path.dirname(to))).toEqual(['to'])
    expect(await fs.readdir(to)).toEqual(['theirs'])
  })
})
