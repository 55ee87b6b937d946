// Scans and segments of a JPEG and frames of a WebP, counted without a decoder. A decoder goes through all
// of them before it gives a pixel and cannot be stopped there. It takes milliseconds for a scan of a few
// bytes, hundreds of bytes of memory for an empty segment, and time with the square of a WebP's frames: few
// bytes could hold it for hours, or take a gigabyte.

import { SampleError } from '../../core/errors.ts'
import { EOI, SOS } from './jpeg-header.ts'
import type { DecodableFormat } from './sniff.ts'

/** Encoders write about ten; one for each coefficient would be 64. */
const MAX_JPEG_SCANS = 100
/** A camera writes some dozens, the largest profile in pieces some hundreds. */
const MAX_JPEG_SEGMENTS = 10_000
/** Minutes of animation. They take a tenth of a second. */
const MAX_WEBP_FRAMES = 4096

/** @throws SampleError too_many_parts */
export function checkParts(bytes: Uint8Array, format: DecodableFormat): void {
  if (format === 'jpg') checkSegments(viewOf(bytes))
  if (format === 'webp' && hasMoreFrames(viewOf(bytes), MAX_WEBP_FRAMES)) {
    throw new SampleError('too_many_parts', `more than ${MAX_WEBP_FRAMES} frames`)
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

// Markers without a length, ITU-T T.81 table B.1.
const STUFFED = 0x00
const TEM = 0x01
const RST0 = 0xd0
const SOI = 0xd8

function checkSegments(bytes: Buffer): void {
  let [scans, segments] = [0, 0]
  for (let at = bytes.indexOf(0xff, 2); at >= 0; at = bytes.indexOf(0xff, at)) {
    const marker = bytes[at + 1]
    if (marker === undefined || marker === EOI) return
    if (marker === 0xff) at += 1
    else if (marker === STUFFED || marker === TEM || (marker >= RST0 && marker <= SOI)) at += 2
    else if (at + 4 > bytes.length) return
    else {
      if (marker === SOS && ++scans > MAX_JPEG_SCANS) {
        throw new SampleError('too_many_parts', `more than ${MAX_JPEG_SCANS} scans`)
      }
      if (++segments > MAX_JPEG_SEGMENTS) {
        throw new SampleError('too_many_parts', `more than ${MAX_JPEG_SEGMENTS} segments`)
      }
      at += 2 + bytes.readUInt16BE(at + 2)
    }
  }
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
