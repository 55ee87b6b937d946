import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readExactly, readPart, readUpTo } from '../../src/system/read-part.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** An open file that gives two bytes at a time. */
async function slowFile(content: string) {
  const name = path.join(await temporaryFolder(), 'a')
  await fs.writeFile(name, content)
  const file = await fs.open(name)
  const read = file.read.bind(file)
  const slow = Object.assign(file, {
    read: (bytes: Buffer, offset: number, length: number, position: number) =>
      read(bytes, offset, Math.min(2, length), position),
  })
  return slow // its other forms of read are not used
}

describe('parts of a file', () => {
  it('are read whole, however little comes at once', async () => {
    const file = await slowFile('0123456789')

    expect(Buffer.from(readPart(file.fd, 3, 5)).toString()).toBe('34567')
    expect((await readExactly(file, 3, 5)).toString()).toBe('34567')
    expect((await readUpTo(file, 3, 5)).toString()).toBe('34567')
    expect(await readExactly(file, 3, 0)).toHaveLength(0)
    await file.close()
  })

  it('end with the file, or say where it ended', async () => {
    const file = await slowFile('0123456789')

    expect((await readUpTo(file, 7, 9)).toString()).toBe('789')
    expect(await readUpTo(file, 12, 9)).toHaveLength(0)
    expect(await readUpTo(file, 5, -1)).toHaveLength(0)
    await expect(readExactly(file, 7, 9)).rejects.toThrow('the file ends at byte 10')
    expect(() => readPart(file.fd, 7, 9)).toThrow('the file ends at byte 10')
    await file.close()
  })
})
