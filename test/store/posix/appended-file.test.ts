// Pieces in the order of the calls, whatever the timing.

import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAppendedFile } from '../../../src/store/posix/appended-file.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

describe('createAppendedFile', () => {
  it('holds every piece where it said, in the order of the calls', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    let count = 0
    const pieceSizes = fc.array(fc.nat(400_000), { maxLength: 3 })
    const step = fc.record({ sizes: pieceSizes, pauseMs: fc.constantFrom(0, 0, 0, 5, 25, 30) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const name = path.join(folder, String(count++))
        const file = createAppendedFile(name)
        let end = 0
        const expected: Uint8Array[] = []
        const appended = []
        for (const [index, { sizes, pauseMs }] of steps.entries()) {
          const piece = sizes.map((size) => Buffer.alloc(size, index + 1))
          expected.push(...piece)
          end += piece.reduce((sum, { length }) => sum + length, 0)
          appended.push(expect(file.append(piece)).resolves.toMatchObject({ end }))
          if (pauseMs > 0) await wait(pauseMs)
        }
        await file.close()
        await Promise.all(appended)
        if (steps.length === 0) await expect(fs.stat(name)).rejects.toThrow(/ENOENT/)
        else expect((await fs.readFile(name)).equals(Buffer.concat(expected))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('has written a piece when it says so', async () => {
    const name = path.join(await temporaryFolder(), 'file')
    const file = createAppendedFile(name)

    await file.append([Buffer.from('one'), Buffer.from(' two')])

    expect(await fs.readFile(name, 'utf8')).toBe('one two')
    await file.close()
  })

  it('does not take what is there', async () => {
    const name = path.join(await temporaryFolder(), 'file')
    await fs.writeFile(name, 'old')
    const file = createAppendedFile(name)

    await expect(file.append([Buffer.from('new')])).rejects.toThrow(/EEXIST/)
    await expect(file.append([Buffer.from('newer')])).rejects.toThrow(/EEXIST/)

    await expect(file.close()).rejects.toThrow(/EEXIST/)
    expect(await fs.readFile(name, 'utf8')).toBe('old')
  })
})
