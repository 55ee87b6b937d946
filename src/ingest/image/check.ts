// Encoded bytes to a checked image: what it is, how large, upright, decoded once. The decoder runs
// in libuv's threads; its limits hold before a pixel is decoded.

import { createHash } from 'node:crypto'
import sharp, { type Metadata, type OutputInfo } from 'sharp'
import { SampleError, messageOf } from '../../core/errors.ts'
import type { DecodedImage, ImageFormat, LoadedImage, Size } from '../../core/types.ts'
import { dropped } from '../../system/v8.ts'
import { dhash } from './dhash.ts'
import type { ImageOptions } from './options.ts'
import { checkParts } from './parts.ts'
import { readJpegHeader } from './jpeg-header.ts'
import { checkSniffed, isComplete, type DecodableFormat } from './sniff.ts'
import { createWeightedGate } from '../../system/weighted-gate.ts'

/** Judges images by their bytes. */
export interface ImageChecker {
  /**
   * @param use gets the pixels; they are counted until it returns, so it must not keep them
   * @throws SampleError too_few_bytes, not_image, format_blocked, too_many_parts, too_many_pixels,
   *   too_small, aspect_ratio, decode_error, decode_truncated or decode_timeout
   */
  check<T>(
    bytes: Uint8Array,
    signal: AbortSignal,
    use: (decoded: DecodedImage) => T,
  ): Promise<LoadedImage & { readonly used: T }>
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

/** Checks at most `decoders` images at once, in the memory that one may take. */
export function createImageChecker(options: ImageOptions): ImageChecker {
  prepareSharp(options.formats)
  // At most `decoders` at once, and together no more memory than one image may take.
  const maxBytes = options.maxPixels * BYTES_PER_PIXEL
  const gate = createWeightedGate(options.decoders, maxBytes)
  return {
    check: async (bytes, signal, use) => {
      signal.throwIfAborted()
      const format = checkFormat(bytes, options)
      checkParts(bytes, format)
      const header = await readHeader({ bytes, format }, options)
      checkSize(header, options)
      const needed = checkMemory(header, maxBytes)
      const release = await gate.acquire(needed, signal)
      try {
        const { image, transparent } = await decode(header, options)
        const kept = transparent ? undefined : storedAs(header)
        const stored =
          kept === undefined
            ? await encode(image, LOSSY.has(format) && !transparent)
            : { bytes, format: kept }
        return {
          ...stored,
          isReencoded: kept === undefined,
          width: image.width,
          height: image.height,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          dhash: dhash(image),
          used: use(image),
        }
      } finally {
        // Else the next image would be decoded beside pixels that nobody needs any more.
        void dropped(needed).then(release)
      }
    },
  }
}

function checkFormat(bytes: Uint8Array, options: ImageOptions): DecodableFormat {
  const format = checkSniffed(bytes, options)
  if (bytes.length >= options.minBytes) return format
  const detail = `${bytes.length} bytes; the minimum is ${options.minBytes}`
  throw new SampleError('too_few_bytes', detail)
}

interface Encoded {
  readonly bytes: Uint8Array
  readonly format: DecodableFormat
}

/** What is known before decoding. */
interface Header extends Encoded {
  /** px, upright. */
  readonly width: number
  readonly height: number
  readonly rotated: boolean
  readonly cmyk: boolean
  /** A reader that knows neither frames nor more than 8 bits per channel sees other pixels. */
  readonly special: boolean
  /** What decoding takes: 8-bit RGB or RGBA, and what the decoder holds of the whole image beside it. */
  readonly bytesPerPixel: number
}

/** Decoding may take this much for each of `maxPixels`: what RGB takes, if the decoder holds no more. */
const BYTES_PER_PIXEL = 3
/** Frame buffers of whole images: libwebp's; nsgif's and libvips' page; libheif's planes and RGB. */
const FRAME_BYTES: Readonly<Partial<Record<DecodableFormat, number>>> = {
  webp: 7,
  gif: 8,
  avif: 16,
}
/** A progressive JPEG's coefficients, 16 bits each. */
const COEFFICIENT_BYTES = 2

async function readHeader(encoded: Encoded, options: ImageOptions): Promise<Header> {
  const { bytes, format } = encoded
  const plain = format === 'jpg' ? readJpegHeader(bytes) : undefined
  if (plain !== undefined) {
    checkPixels(plain, options)
    const { width, height, progressive, samplesPerPixel } = plain
    const bytesPerPixel = 3 + (progressive ? COEFFICIENT_BYTES * samplesPerPixel : 0)
    const ordinary = { rotated: false, cmyk: false, special: false }
    return { ...encoded, width, height, ...ordinary, bytesPerPixel }
  }
  let metadata: Metadata
  try {
    // The pixel limit is ours to report, with its own code.
    metadata = await sharp(bytes, { limitInputPixels: false, failOn: 'warning' }).metadata()
  } catch (error) {
    throw decodeFailure(error, encoded, 'header')
  }
  const { autoOrient, orientation = 1, pages = 1, depth, space, channels } = metadata
  checkPixels(autoOrient, options)
  const rotated = orientation > 1
  const deep = depth !== 'uchar'
  const pixelBytes = metadata.hasAlpha === true ? 4 : 3
  let decoderBytes = FRAME_BYTES[format] ?? 0
  if (metadata.isProgressive === true) {
    const halved = metadata.chromaSubsampling === '4:2:0'
    decoderBytes =
      format === 'jpg' ? COEFFICIENT_BYTES * (halved ? 1.5 : channels) : pixelBytes * (deep ? 2 : 1)
  }
  // An image is turned in memory.
  if (rotated) decoderBytes += pixelBytes
  return {
    ...encoded,
    ...autoOrient,
    rotated,
    cmyk: space === 'cmyk',
    special: deep || pages > 1,
    bytesPerPixel: pixelBytes + decoderBytes,
  }
}

function checkPixels({ width, height }: Size, options: ImageOptions): void {
  if (width * height <= options.maxPixels) return
  const detail = `${width}x${height} px; the limit is ${options.maxPixels} px in all`
  throw new SampleError('too_many_pixels', detail)
}

/** @returns bytes that decoding takes at most */
function checkMemory(header: Header, maxBytes: number): number {
  const { format, width, height, bytesPerPixel } = header
  const needed = width * height * bytesPerPixel
  if (needed <= maxBytes) return needed
  const mb = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`
  throw new SampleError(
    'too_many_pixels',
    `${width}x${height} px of such ${format} take ${mb(needed)} to decode; the limit is ${mb(maxBytes)}, ` +
      `${BYTES_PER_PIXEL} bytes for each of maxPixels`,
  )
}

function checkSize({ width, height }: Header, options: ImageOptions): void {
  const short = Math.min(width, height)
  if (short < options.minSide) {
    const detail = `${width}x${height} px; the smallest side must be ${options.minSide} px`
    throw new SampleError('too_small', detail)
  }
  const aspect = Math.max(width, height) / short
  if (aspect > options.maxAspect) {
    const detail = `${width}x${height} px is ${aspect.toFixed(1)}:1; the limit is ${options.maxAspect}:1`
    throw new SampleError('aspect_ratio', detail)
  }
}

async function decode(header: Header, options: ImageOptions) {
  const started = performance.now()
  const seconds = Math.ceil(options.decodeTimeoutMs / 1000)
  try {
    let pipeline = sharp(header.bytes, {
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
    return toRgb(data, info)
  } catch (error) {
    if (performance.now() - started >= seconds * 1000) {
      throw new SampleError('decode_timeout', `not decoded in ${seconds} s`, { cause: error })
    }
    throw decodeFailure(error, header, 'pixels')
  }
}

function decodeFailure(error: unknown, { bytes, format }: Encoded, part: string): SampleError {
  const code = isComplete(bytes, format) ? 'decode_error' : 'decode_truncated'
  return new SampleError(code, `${format} ${part}: ${messageOf(error)}`, { cause: error })
}

/**
 * Any of grey, grey + alpha, RGB, RGBA to RGB; transparent pixels are laid over white. RGBA is
 * changed in place: a second buffer of a large image would be most of what the process needs.
 */
function toRgb(data: Buffer, { width, height, channels }: OutputInfo) {
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
 * The format of opaque bytes that can be stored as they came: a reader that knows nothing of orientation,
 * frames, 16 bits or CMYK would see other pixels than the ones that were labelled.
 */
function storedAs({ format, rotated, cmyk, special }: Header): ImageFormat | undefined {
  if (rotated || cmyk || special) return undefined
  return format === 'jpg' || format === 'png' || format === 'webp' ? format : undefined
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
