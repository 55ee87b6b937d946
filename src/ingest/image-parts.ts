// Scans of a JPEG and frames of a WebP, counted without a decoder. A decoder goes through all of them
// before it gives a pixel, cannot be stopped there, and takes milliseconds for a scan of a few bytes; for
// a WebP's frames it takes time with the square of their number. So few bytes could hold it for hours.

import { SampleError } from '../core/errors.ts'
import type { DecodableFormat } from './sniff.ts'

/** Encoders write about ten, and 64 at most: one for each coefficient. */
const MAX_JPEG_SCANS = 100
/** Minutes of animation. They take a tenth of a second. */
const MAX_WEBP_FRAMES = 4096

/** @throws SampleError too_many_parts */
export function checkParts(bytes: Uint8Array, format: DecodableFormat): void {
  if (format === 'jpg' && hasMoreScans(viewOf(bytes), MAX_JPEG_SCANS)) {
    throw new SampleError('too_many_parts', `more than ${MAX_JPEG_SCANS} scans`)
  }
  if (format === 'webp' && hasMoreFrames(viewOf(bytes), MAX_WEBP_FRAMES)) {
    throw new SampleError('too_many_parts', `more than ${MAX_WEBP_FRAMES} frames`)
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

// Markers, ITU-T T.81 table B.1.
const STUFFED = 0x00
const TEM = 0x01
const RST0 = 0xd0
const SOI = 0xd8
const EOI = 0xd9
const SOS = 0xda

function hasMoreScans(bytes: Buffer, limit: number): boolean {
  let scans = 0
  for (let at = bytes.indexOf(0xff, 2); at >= 0; at = bytes.indexOf(0xff, at)) {
    const marker = bytes[at + 1]
    if (marker === undefined || marker === EOI) return false
    if (marker === 0xff) at += 1
    else if (marker === STUFFED || marker === TEM || (marker >= RST0 && marker <= SOI)) at += 2
    else if (at + 4 > bytes.length) return false
    else {
      if (marker === SOS && ++scans > limit) return true
      at += 2 + bytes.readUInt16BE(at + 2)
    }
  }
  return false
}

/** RIFF chunks: four letters, a little-endian length, that many bytes, padded to an even number. */
function hasMoreFrames(bytes: Buffer, limit: number): boolean {
  let frames = 0
  for (let at = 12; at + 8 <= bytes.length;) {
    if (bytes.toString('latin1', at, at + 4) === 'ANMF' && ++frames > limit) return true
    const length = bytes.readUInt32LE(at + 4)
    at += 8 + length + (length % 2)
  }
  return false
}
