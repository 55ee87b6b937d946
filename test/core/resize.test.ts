import { describe, expect, it } from 'vitest'
import { paddedSize, resizedSize } from '../../src/core/model-input.ts'
import { prepareImage } from '../../src/core/resize.ts'
import { numbers, readNpz } from '../helpers/npz.ts'

const FIXTURES = new URL('../fixtures/teacher/', import.meta.url)

type Pair = [number, number]

describe('prepareImage', () => {
  const recorded = readNpz(new URL('preprocess.npz', FIXTURES))

  it.each(['down', 'up', 'clamped', 'same'])('resizes %s to the bit as Pillow does', (name) => {
    const source = recorded[`${name}/image_rgb`]!
    const target = recorded[`${name}/resized_rgb`]!
    const [height, width] = source.shape as Pair
    const [resizedHeight, resizedWidth] = target.shape as Pair
    const [shortSide, longSide] = numbers(recorded, `${name}/min_max`) as Pair
    const resized = resizedSize({ width, height }, { shortSide, longSide })
    const padded = paddedSize(resized, 32)

    const out = prepareImage(
      { data: source.data as Uint8Array, width, height },
      { resized, padded },
    )

    expect(resized).toEqual({ width: resizedWidth, height: resizedHeight })
    const expected = new Uint8Array(padded.width * padded.height * 3)
    for (let row = 0; row < resizedHeight; row++) {
      const pixels = target.data.subarray(row * resizedWidth * 3, (row + 1) * resizedWidth * 3)
      expected.set(pixels as Uint8Array, row * padded.width * 3)
    }
    expect(Buffer.from(out).equals(Buffer.from(expected))).toBe(true)
  })

  it('spreads a single pixel over the whole picture', () => {
    const image = { data: Uint8Array.of(10, 20, 30), width: 1, height: 1 }

    const out = prepareImage(image, {
      resized: { width: 40, height: 40 },
      padded: { width: 64, height: 64 },
    })

    expect([...out.subarray(0, 6)]).toEqual([10, 20, 30, 10, 20, 30])
    expect([...out.subarray(39 * 3, 41 * 3)]).toEqual([10, 20, 30, 0, 0, 0])
    expect(out.subarray(40 * 64 * 3).every((byte) => byte === 0)).toBe(true)
  })

  it('keeps a white image white when it shrinks a lot', () => {
    const image = { data: new Uint8Array(20_000 * 30 * 3).fill(255), width: 20_000, height: 30 }
    const resized = resizedSize(image, { shortSide: 800, longSide: 1333 })

    const out = prepareImage(image, { resized, padded: resized })

    expect(resized).toEqual({ width: 1333, height: 2 })
    expect(out.every((byte) => byte === 255)).toBe(true)
  })
})
