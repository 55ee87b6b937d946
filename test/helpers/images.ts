// Small images with enough detail to be like photographs: the same bytes for the same seed.

import sharp, { type Sharp } from 'sharp'

export interface ImageSpec {
  readonly width: number
  readonly height: number
  readonly seed?: number
}

/** A blurred random field with a little noise, RGB. */
export async function makePixels({ width, height, seed = 1 }: ImageSpec): Promise<Buffer> {
  const random = lcg(seed)
  const [columns, rows] = [16, 12]
  const coarse = Buffer.from(Array.from({ length: columns * rows * 3 }, () => random() * 255))
  const pixels = await sharp(coarse, { raw: { width: columns, height: rows, channels: 3 } })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer()
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = Math.max(0, Math.min(255, pixels[i]! + random() * 16 - 8))
  }
  return pixels
}

export async function makeImage(spec: ImageSpec): Promise<Sharp> {
  const { width, height } = spec
  return sharp(await makePixels(spec), { raw: { width, height, channels: 3 } })
}

export async function makeJpeg(spec: ImageSpec, quality = 85): Promise<Buffer> {
  return (await makeImage(spec)).jpeg({ quality }).toBuffer()
}

/** Numerical Recipes' 32-bit generator; uniform in [0, 1). */
function lcg(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
