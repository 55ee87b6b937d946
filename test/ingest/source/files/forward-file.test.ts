import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DamagedFile } from '../../../../src/ingest/source/formats/format.ts'
import { createForwardFile } from '../../../../src/ingest/source/files/forward-file.ts'

const content = Buffer.from(Array.from({ length: 100 }, (_, n) => n))

/** Chunks of ten bytes; `asked` has the offset of each stream that was begun. */
function forward(
  options: { readonly damagedAt?: number; readonly size?: number } = {},
  limits = { keptBytes: 20, maxGapBytes: 10 },
) {
  const { damagedAt = Infinity, size = content.length } = options
  const asked: number[] = []
  const ended: number[] = []
  async function* stream(offset: number) {
    asked.push(offset)
    try {
      for (let at = offset; at < content.length; at += 10) {
        const end = Math.min(at + 10, damagedAt)
        if (end > at) yield content.subarray(at, end)
        if (end === damagedAt) throw new DamagedFile(`broken at ${damagedAt}`)
      }
    } finally {
      ended.push(offset)
    }
  }
  return { file: createForwardFile(size, stream, limits), asked, ended }
}

describe('createForwardFile', () => {
  it('goes on with one stream over small gaps and small steps back', async () => {
    const { file, asked } = forward()

    expect([...(await file.read(0, 3))]).toEqual([0, 1, 2])
    expect([...(await file.read(15, 2))]).toEqual([15, 16])
    expect([...(await file.read(5, 2))]).toEqual([5, 6])
    expect(asked).toEqual([0])
  })

  it('begins anew behind a large gap, and where what is asked for was let go', async () => {
    const { file, asked, ended } = forward()

    await file.read(0, 5)
    expect([...(await file.read(60, 2))]).toEqual([60, 61])
    await file.read(95, 5)
    expect([...(await file.read(70, 1))]).toEqual([70])
    expect(asked).toEqual([0, 60, 95, 70])
    expect(ended).toEqual([0, 60, 95])
    await file[Symbol.asyncDispose]()
    expect(ended).toEqual([0, 60, 95, 70])
  })

  it('gives less only at the end, known or not', async () => {
    for (const size of [100, Infinity]) {
      const { file } = forward({ size })

      expect([...(await file.read(98, 10))]).toEqual([98, 99])
      expect(await file.read(100, 1)).toHaveLength(0)
    }
  })

  it('ends where the stream is damaged, and throws for what begins there', async () => {
    const { file } = forward({ damagedAt: 25 })

    expect(await file.read(20, 10)).toHaveLength(5)
    await expect(file.read(25, 1)).rejects.toThrow('broken at 25')
    expect(await file.read(24, 9)).toHaveLength(1)
  })

  it('passes on what is no damage', async () => {
    const file = createForwardFile(10, async function* () {
      yield Buffer.alloc(1)
      throw new RangeError('a bug')
    })

    await expect(file.read(0, 5)).rejects.toThrow(RangeError)
  })

  it('reads what the file has, whatever the order', async () => {
    const part = fc.tuple(fc.nat(110), fc.nat(40))
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        const { file } = forward()
        for (const [start, length] of parts) {
          expect(await file.read(start, length)).toEqual(content.subarray(start, start + length))
        }
      }),
    )
  })
})
