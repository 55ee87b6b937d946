// Pixels to another size: Pillow's bilinear reproduced to the bit, because the references of the models
// resize with it. Width first, then height, as Pillow does up to 12 (13 begins with the height where that is
// less work, which moves some values by one). Pure, and here because image processes and the teacher's bench
// both need it.

import type { DecodedImage, Size } from './types.ts'

/** Sizes at the model, px. */
export interface FittedSizes {
  /** Of the picture. */
  readonly resized: Size
  /** Of the model's input around it, at least `resized`. */
  readonly padded: Size
}

/**
 * Resizes and pads. Each axis has its own scale.
 *
 * @returns RGB, shape (padded.height, padded.width, 3), 0 right of and below the picture
 */
export function prepareImage(image: DecodedImage, { resized, padded }: FittedSizes): Uint8Array {
  const out = { data: new Uint8Array(padded.width * padded.height * 3), ...padded }
  const wide = image.width === resized.width ? image : resizeRows(image, resized.width)
  if (image.height === resized.height) copyRows(wide, out)
  else resizeColumns(wide, resized.height, out)
  return out.data
}

function copyRows(from: DecodedImage, to: DecodedImage): void {
  const rowBytes = from.width * 3
  for (let row = 0; row < from.height; row++) {
    to.data.set(from.data.subarray(row * rowBytes, (row + 1) * rowBytes), row * to.width * 3)
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

function resizeRows({ data, width, height }: DecodedImage, outWidth: number): DecodedImage {
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
  return { data: out, width: outWidth, height }
}

/** @param out at least as large; what is right of and below the picture is left */
function resizeColumns(image: DecodedImage, outHeight: number, { data: out, width }: DecodedImage) {
  const { data } = image
  const rowBytes = image.width * 3
  const { size, starts, counts, weights } = bilinearTaps(image.height, outHeight)
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
    const to = y * width * 3
    for (let i = 0; i < rowBytes; i++) out[to + i] = sums[i]! >> FRACTION_BITS
  }
}
