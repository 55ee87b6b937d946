// What bytes are, by their first bytes; never by a content type or the ending of a name.

import { SampleError } from '../../core/errors.ts'
import type { ImageOptions, imageFormats } from './options.ts'

/** A format that can be decoded when the options allow it. */
export type DecodableFormat = (typeof imageFormats)[number]

/** What bytes can be told to be. */
export type SniffedFormat = DecodableFormat | 'svg' | 'heic' | 'bmp' | 'ico' | 'jxl' | 'jp2' | 'psd'

/**
 * @param head the first 32 bytes or more; SVG is found within the first 1024
 * @returns undefined when the bytes are no image format known here
 */
function sniffFormat(head: Uint8Array): SniffedFormat | undefined {
  // A byte a character. TextDecoder's "latin1" is windows-1252, which maps 0x80 to 0x9f elsewhere.
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const start = text.toString('latin1', 0, 16)
  if (start.startsWith('\xff\xd8\xff')) return 'jpg'
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return 'gif'
  if (start.startsWith('RIFF') && start.slice(8, 12) === 'WEBP') return 'webp'
  if (start.startsWith('II*\0') || start.startsWith('MM\0*')) return 'tiff'
  if (start.slice(4, 8) === 'ftyp') return sniffHeif(text.toString('latin1', 8, 32))
  if (start.startsWith('BM')) return 'bmp'
  if (start.startsWith('\0\0\x01\0')) return 'ico'
  if (start.startsWith('\xff\x0a') || start.startsWith('\0\0\0\x0cJXL ')) return 'jxl'
  if (start.startsWith('\0\0\0\x0cjP  ') || start.startsWith('\xff\x4f\xff\x51')) return 'jp2'
  if (start.startsWith('8BPS')) return 'psd'
  return /^(\xef\xbb\xbf)?\s*(<\?xml[\s\S]*?)?(<!--[\s\S]*?-->\s*)?(<!DOCTYPE svg[\s\S]*?)?<svg[\s>]/i.test(
    text.toString('latin1', 0, 1024),
  )
    ? 'svg'
    : undefined
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

/** @param brands the major brand, the minor version and the first compatible brands of a ftyp box */
function sniffHeif(brands: string): SniffedFormat | undefined {
  if (/^avi[fs]/.test(brands) || (/^mi[fa]1|^msf1/.test(brands) && brands.includes('avif')))
    return 'avif'
  return /^(hei[cxms]|hev[cx]|mif1|msf1)/.test(brands) ? 'heic' : undefined
}

/** True if the end of the file is there as its format demands, so a failed decode was no truncation. */
export function isComplete(bytes: Uint8Array, format: DecodableFormat): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (format) {
    case 'jpg':
      return view.lastIndexOf(Buffer.from([0xff, 0xd9])) > 1
    case 'png':
      return view.includes('IEND', Math.max(0, view.length - 1024), 'latin1')
    case 'gif':
      return view.at(-1) === 0x3b
    case 'webp':
      return view.length >= 12 && view.readUInt32LE(4) + 8 <= view.length
    case 'avif':
    case 'tiff':
      // Offsets point anywhere: nothing at the end tells.
      return true
  }
}
