// An image as the model wants it: GLIP's size rule, Pillow's bilinear resize reproduced to the bit, and
// padding (glip.md sections 2.1 and 2.2 give the formulas; the reference resizes with Pillow). The
// normalisation is in the graph.

import { SampleError } from './errors.ts'
import type { DecodedImage, InputImage, Size } from './types.ts'

/** How large the model sees images, px. */
export interface ModelInput {
  /** Of the resized image, unless the longer side would pass `longSide`. */
  readonly shortSide: number
  readonly longSide: number
  /** Both sides are padded to a multiple of this. */
  readonly padMultiple: number
}

/** @throws SampleError aspect_ratio for an image of which nothing would be left */
export function fitImage(image: DecodedImage, input: ModelInput): InputImage {
  const original = { width: image.width, height: image.height }
  const resized = resizedSize(original, input.shortSide, input.longSide)
  if (resized.width === 0 || resized.height === 0) {
    throw new SampleError(
      'aspect_ratio',
      `${image.width}x${image.height} px would have a side of 0 px at the model's size (${input.shortSide}, at most ${input.longSide})`,
    )
  }
  const padded = paddedSize(resized, input.padMultiple)
  return { data: prepareImage(image, resized, padded), original, resized, padded }
}

/**
 * Size at which the model sees an image: the short side becomes `shortSide` unless the long side would
 * pass `longSide`. The long side follows from the rounded short side, so it may pass `longSide` by a few
 * pixels on elongated images, as in the reference. Roundings depend on the order of evaluation.
 *
 * @returns a side may be 0 for an image that is more than twice as elongated as `longSide`
 */
export function resizedSize(original: Size, shortSide: number, longSide: number): Size {
  const small = Math.min(original.width, original.height)
  const large = Math.max(original.width, original.height)
  const isLimited = (large / small) * shortSide > longSide
  const short = isLimited ? roundHalfEven((longSide * small) / large) : shortSide
  if (small === short) return original
  const long = Math.trunc((short * large) / small)
  return original.width < original.height
    ? { width: short, height: long }
    : { width: long, height: short }
}

/** Both sides up to the next multiple. */
export function paddedSize(size: Size, multiple: number): Size {
  return {
    width: Math.ceil(size.width / multiple) * multiple,
    height: Math.ceil(size.height / multiple) * multiple,
  }
}

/** Python's round(): halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/**
 * Resizes and pads.
 *
 * @param resized size of the picture inside the result
 * @param padded size of the result, at least `resized`
 * @returns RGB, shape (padded.height, padded.width, 3), 0 right of and below the picture
 */
export function prepareImage(image: DecodedImage, resized: Size, padded: Size): Uint8Array {
  const out = new Uint8Array(padded.width * padded.height * 3)
  const rowBytes = padded.width * 3
  const wide =
    image.width === resized.width
      ? image.data
      : resizeRows(image.data, image.width, image.height, resized.width)
  if (image.height === resized.height) {
    copyRows(wide, resized.width * 3, out, rowBytes)
  } else {
    resizeColumns(wide, resized.width * 3, image.height, resized.height, out, rowBytes)
  }
  return out
}

function copyRows(from: Uint8Array, fromBytes: number, to: Uint8Array, toBytes: number): void {
  for (let row = 0; row * fromBytes < from.length; row++) {
    to.set(from.subarray(row * fromBytes, (row + 1) * fromBytes), row * toBytes)
  }
}

/** Which inputs each output averages: `weights[i * size + k]` belongs to input `starts[i] + k`. */
interface Taps {
  readonly size: number
  readonly starts: Int32Array
  readonly counts: Int32Array
  /** Fixed point, 22 bits after the binary point. */
  readonly weights: Int32Array
}

const FRACTION_BITS = 22
const HALF = 1 << (FRACTION_BITS - 1)

/** A triangle filter that widens when the image shrinks. */
function bilinearTaps(inLength: number, outLength: number): Taps {
  const scale = inLength / outLength
  const support = Math.max(scale, 1)
  const size = Math.ceil(support) * 2 + 2
  const starts = new Int32Array(outLength)
  const counts = new Int32Array(outLength)
  const weights = new Int32Array(outLength * size)
  const exact = new Float64Array(size)
  for (let i = 0; i < outLength; i++) {
    const center = (i + 0.5) * scale
    const start = Math.max(0, Math.trunc(center - support + 0.5))
    const count = Math.min(inLength, Math.trunc(center + support + 0.5)) - start
    let sum = 0
    for (let k = 0; k < count; k++) {
      exact[k] = Math.max(0, 1 - Math.abs((k + start - center + 0.5) * (1 / support)))
      sum += exact[k]!
    }
    for (let k = 0; k < count; k++) {
      const weight = sum === 0 ? exact[k]! : exact[k]! / sum
      weights[i * size + k] = Math.trunc(weight * (1 << FRACTION_BITS) + 0.5)
    }
    starts[i] = start
    counts[i] = count
  }
  return { size, starts, counts, weights }
}

// The sums below stay in 32 bits: weights of one output sum to 2^22 but for rounding, which is too small
// to carry a sum past 255, and pixels are at most 255. They are never negative, so nothing is clipped.

function resizeRows(data: Uint8Array, width: number, height: number, outWidth: number): Uint8Array {
  const { size, starts, counts, weights } = bilinearTaps(width, outWidth)
  const out = new Uint8Array(outWidth * height * 3)
  for (let row = 0, to = 0; row < height; row++) {
    const rowStart = row * width * 3
    for (let x = 0; x < outWidth; x++, to += 3) {
      let from = rowStart + starts[x]! * 3
      let red = HALF
      let green = HALF
      let blue = HALF
      const first = x * size
      const last = first + counts[x]!
      for (let k = first; k < last; k++, from += 3) {
        const weight = weights[k]!
        red = (red + Math.imul(weight, data[from]!)) | 0
        green = (green + Math.imul(weight, data[from + 1]!)) | 0
        blue = (blue + Math.imul(weight, data[from + 2]!)) | 0
      }
      out[to] = red >> FRACTION_BITS
      out[to + 1] = green >> FRACTION_BITS
      out[to + 2] = blue >> FRACTION_BITS
    }
  }
  return out
}

function resizeColumns(
  data: Uint8Array,
  rowBytes: number,
  height: number,
  outHeight: number,
  out: Uint8Array,
  outRowBytes: number,
): void {
  const { size, starts, counts, weights } = bilinearTaps(height, outHeight)
  const sums = new Int32Array(rowBytes)
  for (let y = 0; y < outHeight; y++) {
    sums.fill(HALF)
    // Two rows at a time: half the traffic of `sums`. The weight after the last is 0.
    for (let k = 0; k < counts[y]!; k += 2) {
      const a = weights[y * size + k]!
      const b = weights[y * size + k + 1]!
      const fromA = (starts[y]! + k) * rowBytes
      const fromB = b === 0 ? fromA : fromA + rowBytes
      for (let i = 0; i < rowBytes; i++) {
        sums[i] = (sums[i]! + Math.imul(a, data[fromA + i]!) + Math.imul(b, data[fromB + i]!)) | 0
      }
    }
    const to = y * outRowBytes
    for (let i = 0; i < rowBytes; i++) out[to + i] = sums[i]! >> FRACTION_BITS
  }
}
