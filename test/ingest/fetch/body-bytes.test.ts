import { describe, expect, it } from 'vitest'
import { createBodyBytes } from '../../../src/ingest/fetch/body-bytes.ts'

const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, index) => index % 251))

describe('createBodyBytes', () => {
  it.each([
    ['as long as was promised', 200_000, 200_000],
    ['longer', 100, 200_000],
    ['shorter', 300_000, 200_000],
    ['of unknown length', Number.NaN, 3_000_000],
    ['of no bytes', 0, 0],
  ])('joins a body %s, however it is cut', (_, expected, length) => {
    const bytes = bytesOf(length)
    for (const size of [1000, 65_536, 70_001, Math.max(1, length)]) {
      const body = createBodyBytes(expected)
      for (let at = 0; at < length; at += size) body.append(bytes.subarray(at, at + size))

      expect(body.length).toBe(length)
      expect(bytes.equals(body.whole())).toBe(true)
    }
  })
  it('copies chunks, so that small ones keep no large buffers alive', () => {
    const chunk = Buffer.from([1, 2, 3])
    const body = createBodyBytes(Number.NaN)

    body.append(chunk)
    chunk.fill(0)

    expect([...body.whole()]).toEqual([1, 2, 3])
  })
  it('leaves a body that came in one piece as it is', () => {
    const chunk = bytesOf(5000)
    const body = createBodyBytes(5000)

    body.append(chunk)

    expect(body.whole().buffer).toBe(chunk.buffer)
  })
  it('can be looked at while it grows', () => {
    const body = createBodyBytes(6)

    body.append(Buffer.from([1, 2, 3]))
    expect([...body.whole()]).toEqual([1, 2, 3])
    body.append(Buffer.from([4, 5, 6]))

    expect([...body.whole()]).toEqual([1, 2, 3, 4, 5, 6])
  })
})
