// The header of an ordinary JPEG, read without a decoder: opening one costs as much as a tenth of decoding.

/** px, 8 bits per channel, grey or YCbCr, upright. */
export interface JpegHeader {
  readonly width: number
  readonly height: number
  /** In several scans, so that a decoder holds the coefficients of the whole image. */
  readonly progressive: boolean
  /** Samples of all channels per pixel: 1 for grey, 1.5 for 4:2:0, 3 for 4:4:4. */
  readonly samplesPerPixel: number
}

// Markers, ITU-T T.81 table B.1.
const SOF0 = 0xc0
const SOF1 = 0xc1
const SOF2 = 0xc2
/** Start of scan. */
export const SOS = 0xda
/** End of image. */
export const EOI = 0xd9
const APP1 = 0xe1
const APP14 = 0xee

/**
 * @returns undefined for whatever is not ordinary: EXIF or XMP (orientation), an Adobe marker or four
 *   channels (another colour space), 12 bits, arithmetic coding, a damaged header
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let header: JpegHeader | undefined
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) return undefined
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at++ // fill byte
      continue
    }
    if (marker === SOS) return header
    if (marker < SOF0 || marker === EOI || marker === APP1 || marker === APP14) return undefined
    const length = view.getUint16(at + 2)
    if (length < 2) return undefined
    if (marker === SOF0 || marker === SOF1 || marker === SOF2) {
      if (header !== undefined) return undefined
      header = readFrame(bytes.subarray(at + 4, at + 2 + length), marker === SOF2)
      if (header === undefined) return undefined
    } else if (marker >= 0xc3 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xcc) {
      return undefined // lossless, hierarchical, arithmetic
    }
    at += 2 + length
  }
  return undefined
}

/** @param frame the frame header after its length, T.81 B.2.2 */
function readFrame(frame: Uint8Array, progressive: boolean): JpegHeader | undefined {
  const [precision, h1, h0, w1, w0, channels] = frame
  if (precision !== 8 || (channels !== 1 && channels !== 3)) return undefined
  if (frame.length !== 6 + channels * 3) return undefined
  const [height, width] = [(h1! << 8) | h0!, (w1! << 8) | w0!]
  if (height === 0 || width === 0) return undefined // a height of 0 comes in a later marker
  const factors = Array.from({ length: channels }, (_, channel) => frame[7 + channel * 3]!)
  const [across, down] = [factors.map((byte) => byte >> 4), factors.map((byte) => byte & 15)]
  if ([...across, ...down].some((factor) => factor < 1 || factor > 4)) return undefined
  const samples = across.reduce((sum, factor, channel) => sum + factor * down[channel]!, 0)
  const samplesPerPixel = samples / (Math.max(...across) * Math.max(...down))
  return { width, height, progressive, samplesPerPixel }
}
