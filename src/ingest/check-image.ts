// Encoded bytes to a checked image: what it is, how large, upright, decoded once. The decoder runs
// in libuv's threads; its limits hold before a pixel is decoded.

import { createHash } from 'node:crypto'
import sharp, { type Metadata } from 'sharp'
import { SampleError, messageOf } from '../core/errors.ts'
import type { DecodedImage, ImageFormat, LoadedImage } from '../core/types.ts'
import { dhash } from './dhash.ts'
import type { ImageOptions } from './fetch-options.ts'
import { isComplete, sniffFormat, type DecodableFormat } from './sniff.ts'
import { createWeightedGate } from './weighted-gate.ts'

export interface ImageChecker {
  /**
   * @throws SampleError too_few_bytes, not_image, format_blocked, too_many_pixels, too_small,
   *   aspect_ratio, decode_error, decode_truncated or decode_timeout
   */
  check(bytes: Uint8Array, signal: AbortSignal): Promise<LoadedImage>
}

// libvips' names; loaders that are not named stay blocked (SVG, PDF, ImageMagick, ...).
const LOADERS: Readonly<Record<DecodableFormat, string>> = {
  jpg: 'VipsForeignLoadJpeg',
  png: 'VipsForeignLoadPng',
  webp: 'VipsForeignLoadWebp',
  gif: 'VipsForeignLoadNsgif',
  avif: 'VipsForeignLoadHeif',
  tiff: 'VipsForeignLoadTiff',
}

/** Process-wide settings of the decoder: the loaders allowed are those of every call so far. */
function prepareSharp(formats: readonly DecodableFormat[]): void {
  if (!prepared) {
    prepared = true
    sharp.cache(false)
    sharp.concurrency(1)
    sharp.block({ operation: ['VipsForeignLoad'] })
  }
  sharp.unblock({ operation: formats.map((format) => LOADERS[format]) })
}
let prepared = false

export function createImageChecker(options: ImageOptions): ImageChecker {
  prepareSharp(options.formats)
  // At most `decoders` at once, and together no more pixels than one image may have.
  const gate = createWeightedGate(options.decoders, options.maxPixels)
  return {
    check: async (bytes, signal) => {
      signal.throwIfAborted()
      const format = checkFormat(bytes, options)
      const header = await readHeader(bytes, format, options)
      checkSize(header, options)
      const release = await gate.acquire(header.width * header.height, signal)
      try {
        const { image, transparent } = await decode(bytes, format, header, options)
        const reason = reencodeReason(format, header, transparent)
        const stored =
          reason === undefined
            ? { bytes, format: format as ImageFormat }
            : await encode(image, LOSSY.has(format) && !transparent)
        return {
          ...stored,
          isReencoded: reason !== undefined,
          width: image.width,
          height: image.height,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          dhash: dhash(image),
          decoded: image,
        }
      } finally {
        release()
      }
    },
  }
}

/**
 * The sniffed format, if it may be decoded.
 *
 * @param bytes the whole image or its first 32 bytes
 * @throws SampleError not_image or format_blocked
 */
export function checkSniffed(bytes: Uint8Array, options: ImageOptions): DecodableFormat {
  const format = sniffFormat(bytes)
  if (format === undefined) {
    const head = Buffer.from(bytes.subarray(0, 8)).toString('hex')
    throw new SampleError('not_image', `begins with ${head === '' ? 'nothing' : head}`)
  }
  const allowed = options.formats.find((name) => name === format)
  if (allowed !== undefined) return allowed
  throw new SampleError('format_blocked', `${format}; allowed are ${options.formats.join(', ')}`)
}

function checkFormat(bytes: Uint8Array, options: ImageOptions): DecodableFormat {
  const format = checkSniffed(bytes, options)
  if (bytes.length >= options.minBytes) return format
  throw new SampleError(
    'too_few_bytes',
    `${bytes.length} bytes; the minimum is ${options.minBytes}`,
  )
}

/** What is known before decoding. */
interface Header {
  /** px, upright. */
  readonly width: number
  readonly height: number
  readonly rotated: boolean
  readonly frames: number
  /** More than 8 bits per channel. */
  readonly deep: boolean
  readonly cmyk: boolean
}

async function readHeader(
  bytes: Uint8Array,
  format: DecodableFormat,
  options: ImageOptions,
): Promise<Header> {
  let metadata: Metadata
  try {
    // The pixel limit is ours to report, with its own code.
    metadata = await sharp(bytes, { limitInputPixels: false, failOn: 'warning' }).metadata()
  } catch (error) {
    throw decodeFailure(error, bytes, format, 'header')
  }
  const { autoOrient, orientation = 1, pages = 1, depth, space } = metadata
  if (autoOrient.width * autoOrient.height > options.maxPixels) {
    throw new SampleError(
      'too_many_pixels',
      `${autoOrient.width}x${autoOrient.height} px; the limit is ${options.maxPixels} px in all`,
    )
  }
  return {
    ...autoOrient,
    rotated: orientation > 1,
    frames: pages,
    deep: depth !== 'uchar',
    cmyk: space === 'cmyk',
  }
}

function checkSize({ width, height }: Header, options: ImageOptions): void {
  const short = Math.min(width, height)
  if (short < options.minSide) {
    throw new SampleError(
      'too_small',
      `${width}x${height} px; the smallest side must be ${options.minSide} px`,
    )
  }
  const aspect = Math.max(width, height) / short
  if (aspect > options.maxAspect) {
    throw new SampleError(
      'aspect_ratio',
      `${width}x${height} px is ${aspect.toFixed(1)}:1; the limit is ${options.maxAspect}:1`,
    )
  }
}

interface Decoded {
  readonly image: DecodedImage
  /** Some pixel was not opaque. */
  readonly transparent: boolean
}

async function decode(
  bytes: Uint8Array,
  format: DecodableFormat,
  header: Header,
  options: ImageOptions,
): Promise<Decoded> {
  const started = performance.now()
  const seconds = Math.ceil(options.decodeTimeoutMs / 1000)
  try {
    let pipeline = sharp(bytes, {
      limitInputPixels: options.maxPixels,
      failOn: 'warning',
      sequentialRead: !header.rotated,
      // Profiles are left out, as the trainers' readers (PIL, OpenCV) do; CMYK needs its own.
      ignoreIcc: !header.cmyk,
    }).timeout({ seconds })
    if (header.rotated) pipeline = pipeline.autoOrient()
    const { data, info } = await pipeline
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return toRgb(data, info.width, info.height, info.channels)
  } catch (error) {
    if (performance.now() - started >= seconds * 1000) {
      throw new SampleError('decode_timeout', `not decoded in ${seconds} s`, { cause: error })
    }
    throw decodeFailure(error, bytes, format, 'pixels')
  }
}

function decodeFailure(
  error: unknown,
  bytes: Uint8Array,
  format: DecodableFormat,
  part: string,
): SampleError {
  const code = isComplete(bytes, format) ? 'decode_error' : 'decode_truncated'
  return new SampleError(code, `${format} ${part}: ${messageOf(error)}`, { cause: error })
}

/**
 * Any of grey, grey + alpha, RGB, RGBA to RGB; transparent pixels are laid over white. RGBA is
 * changed in place: a second buffer of a large image would be most of what the process needs.
 */
function toRgb(data: Buffer, width: number, height: number, channels: number): Decoded {
  if (channels === 3) return { image: { data, width, height }, transparent: false }
  const pixels = width * height
  const rgb = channels > 3 ? data.subarray(0, pixels * 3) : new Uint8Array(pixels * 3)
  const hasAlpha = channels === 2 || channels === 4
  const colours = hasAlpha ? channels - 1 : channels
  let transparent = false
  for (let pixel = 0, from = 0, to = 0; pixel < pixels; pixel++, from += channels, to += 3) {
    const alpha = hasAlpha ? data[from + colours]! : 255
    if (alpha !== 255) transparent = true
    for (let channel = 0; channel < 3; channel++) {
      const value = data[from + (colours === 3 ? channel : 0)]!
      rgb[to + channel] = 255 + Math.round(((value - 255) * alpha) / 255)
    }
  }
  return { image: { data: rgb, width, height }, transparent }
}

// Sources whose pixels were lossy already: PNG would only store their noise.
const LOSSY: ReadonlySet<DecodableFormat> = new Set(['jpg', 'webp', 'avif'])

/**
 * Why the bytes cannot be stored as they came: a reader that knows nothing of orientation, frames,
 * alpha, 16 bits or CMYK would see other pixels than the ones that were labelled.
 */
function reencodeReason(
  format: DecodableFormat,
  header: Header,
  transparent: boolean,
): string | undefined {
  if (format !== 'jpg' && format !== 'png' && format !== 'webp') return `format ${format}`
  if (header.rotated) return 'orientation'
  if (header.frames > 1) return 'frames'
  if (header.deep) return 'depth'
  if (header.cmyk) return 'cmyk'
  return transparent ? 'alpha' : undefined
}

/** PNG, or JPEG of quality 95 without chroma subsampling; the same bytes for the same pixels. */
async function encode(
  { data, width, height }: DecodedImage,
  lossy: boolean,
): Promise<{ bytes: Uint8Array; format: ImageFormat }> {
  const image = sharp(data, { raw: { width, height, channels: 3 } })
  if (!lossy) return { bytes: await image.png({ compressionLevel: 6 }).toBuffer(), format: 'png' }
  // Optimal Huffman tables would need all coefficients in memory, 6 bytes a pixel.
  const jpeg = image.jpeg({ quality: 95, chromaSubsampling: '4:4:4', optimiseCoding: false })
  return { bytes: await jpeg.toBuffer(), format: 'jpg' }
}
