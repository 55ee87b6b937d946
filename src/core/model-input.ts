// How large a model sees images: a rule per kind of model, and the image fitted to it. Normalisation is in
// the graph. The kernel is in resize.ts.

import { SampleError } from './errors.ts'
import { prepareImage, type FittedSizes } from './resize.ts'
import type { DecodedImage, InputImage, Size } from './types.ts'

/** How images are fitted to a model, px. It is sent to processes as JSON. */
export type ModelInput = ShortSideInput | SquashInput

/** GLIP's rule: the aspect is kept and both sides are padded, right and below. */
export interface ShortSideInput {
  readonly kind: 'short-side'
  /** Of the resized image, unless the longer side would pass `longSide`. */
  readonly shortSide: number
  readonly longSide: number
  /** Both sides are padded to a multiple of this. */
  readonly padMultiple: number
}

/** A fixed size whatever the aspect; nothing is padded. */
export interface SquashInput {
  readonly kind: 'squash'
  readonly width: number
  readonly height: number
}

/** @throws SampleError aspect_ratio for an image of which nothing would be left */
export function fitImage(image: DecodedImage, input: ModelInput): InputImage {
  const original = { width: image.width, height: image.height }
  const sizes = fittedSizes(original, input)
  return { data: prepareImage(image, sizes), original, ...sizes }
}

/**
 * Size of the picture at the model, and of the model's input around it.
 *
 * @throws as `fitImage`
 */
export function fittedSizes(original: Size, input: ModelInput): FittedSizes {
  if (input.kind === 'squash') {
    const { width, height } = input
    return { resized: { width, height }, padded: { width, height } }
  }
  const resized = resizedSize(original, input)
  if (resized.width === 0 || resized.height === 0) {
    throw new SampleError(
      'aspect_ratio',
      `${original.width}x${original.height} px would have a side of 0 px at the model's size (${input.shortSide}, at most ${input.longSide})`,
    )
  }
  return { resized, padded: paddedSize(resized, input.padMultiple) }
}

/**
 * Size at which the model sees an image: the short side becomes `shortSide` unless the long side would
 * pass `longSide`. The long side follows from the rounded short side, so it may pass `longSide` by a few
 * pixels on elongated images, as in the reference. Roundings depend on the order of evaluation.
 *
 * @returns a side may be 0 for an image that is more than twice as elongated as `longSide`
 */
export function resizedSize(
  original: Size,
  { shortSide, longSide }: Pick<ShortSideInput, 'shortSide' | 'longSide'>,
): Size {
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
