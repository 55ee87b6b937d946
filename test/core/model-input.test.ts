import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fitImage, paddedSize, resizedSize } from '../../src/core/model-input.ts'
import { readNpz } from '../helpers/npz.ts'

const FIXTURES = new URL('../fixtures/teacher/', import.meta.url)

type Pair = [number, number]
const size = ([width, height]: Pair) => ({ width, height })

describe('resizedSize', () => {
  const recorded = JSON.parse(
    readFileSync(new URL('resize_sizes.json', FIXTURES), 'utf8'),
  ) as Record<'orig_wh' | 'eval_resized_wh' | 'demo_resized_wh' | 'eval_padded_wh', Pair>[]

  it.each(recorded)('gives the recorded sizes for $orig_wh', (sizes) => {
    const resized = resizedSize(size(sizes.orig_wh), { shortSide: 800, longSide: 1333 })

    expect(resized).toEqual(size(sizes.eval_resized_wh))
    expect(paddedSize(resized, 32)).toEqual(size(sizes.eval_padded_wh))
    expect(resizedSize(size(sizes.orig_wh), { shortSide: 800, longSide: Infinity })).toEqual(
      size(sizes.demo_resized_wh),
    )
  })

  it('has a side of 0 for an image elongated beyond reason', () => {
    expect(resizedSize({ width: 20_000, height: 1 }, { shortSide: 800, longSide: 1333 })).toEqual({
      width: 0,
      height: 0,
    })
  })
})

describe('fitImage', () => {
  it('refuses an image of which nothing would be left', () => {
    const image = { data: new Uint8Array(60_000), width: 20_000, height: 1 }

    const input = { kind: 'short-side', shortSide: 800, longSide: 1333, padMultiple: 32 } as const

    expect(() => fitImage(image, input)).toThrow(
      "20000x1 px would have a side of 0 px at the model's size (800, at most 1333)",
    )
  })

  const images = readNpz(new URL('preprocess.npz', FIXTURES))
  const { cases } = JSON.parse(readFileSync(new URL('squash.json', FIXTURES), 'utf8')) as {
    cases: { image: string; width: number; height: number; sha256: string }[]
  }

  it.each(cases)(
    'squashes $image to $width x $height px to the bit as Pillow 12 does',
    (wanted) => {
      const { shape, data } = images[`${wanted.image}/image_rgb`]!
      const [height, width] = shape as Pair
      const size = { width: wanted.width, height: wanted.height }

      const fitted = fitImage(
        { data: data as Uint8Array, width, height },
        { kind: 'squash', ...size },
      )

      expect(fitted).toMatchObject({ original: { width, height }, resized: size, padded: size })
      expect(createHash('sha256').update(fitted.data).digest('hex')).toBe(wanted.sha256)
    },
  )
})
