import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/core/errors.ts'
import { openStoredFile } from '../../../src/store/posix/stored-file.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

describe('openStoredFile', () => {
  it('reads ranges into buffers of their own', async () => {
    const name = path.join(await temporaryFolder(), 'file')
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251))
    await fs.writeFile(name, bytes)
    const file = await openStoredFile(name)

    const part = await file.read(10, 69_000)

    expect(file).toMatchObject({ address: name, size: 70_000 })
    expect(bytes.subarray(10, 69_000).equals(part)).toBe(true)
    expect(part.buffer.byteLength).toBe(part.length)
    await file.close()
  })

  it('says where a file ends that was cut since', async () => {
    const name = path.join(await temporaryFolder(), 'file')
    await fs.writeFile(name, 'a few bytes')
    const file = await openStoredFile(name)
    await fs.truncate(name, 5)

    await expect(file.read(0, file.size)).rejects.toThrow('the file ends at byte 5')
    await file.close()
  })

  it('names a file that is not there', async () => {
    const name = path.join(await temporaryFolder(), 'none')

    await expect(openStoredFile(name)).rejects.toThrow(InputError)
    await expect(openStoredFile(name)).rejects.toThrow(`${name} cannot be read`)
  })
})
