import { describe, expect, it } from 'vitest'
import { imageOptionsSchema, imageFormats } from '../../../src/ingest/image/options.ts'
import { checkSniffed, isComplete } from '../../../src/ingest/image/sniff.ts'
import { makeImage } from '../../helpers/images.ts'

const options = imageOptionsSchema.parse({ formats: [...imageFormats] })
const encode = async (format: 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' | 'tiff') =>
  (await makeImage({ width: 48, height: 40 })).toFormat(format).toBuffer()

describe('checkSniffed', () => {
  it.each([
    ['jpeg', 'jpg'],
    ['png', 'png'],
    ['webp', 'webp'],
    ['gif', 'gif'],
    ['avif', 'avif'],
    ['tiff', 'tiff'],
  ] as const)('knows %s by its first 32 bytes', async (format, expected) => {
    expect(checkSniffed((await encode(format)).subarray(0, 32), options)).toBe(expected)
  })
  it('compares bytes, not characters of a code page', () => {
    // Windows-1252 has other characters from 0x80 to 0x9f than Latin-1.
    const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

    expect(checkSniffed(png, options)).toBe('png')
  })
  it('reads a view at its own place in a buffer', async () => {
    const bytes = Buffer.concat([Buffer.from('before'), await encode('png')])

    expect(checkSniffed(bytes.subarray(6), options)).toBe('png')
  })
  it('names what is no image, and what is not allowed', () => {
    expect(() => checkSniffed(Buffer.from('GIF'), options)).toThrow('begins with 474946')
    expect(() => checkSniffed(new Uint8Array(0), options)).toThrow('begins with nothing')
    const jpgOnly = imageOptionsSchema.parse({ formats: ['jpg'] })
    expect(() => checkSniffed(Buffer.from('GIF89a'), jpgOnly)).toThrow('gif; allowed are jpg')
  })
})

describe('isComplete', () => {
  it.each([
    ['jpeg', 'jpg'],
    ['png', 'png'],
    ['webp', 'webp'],
    ['gif', 'gif'],
  ] as const)('tells a whole %s from a part', async (format, name) => {
    const bytes = await encode(format)

    expect(isComplete(bytes, name)).toBe(true)
    expect(isComplete(bytes.subarray(0, bytes.length >> 1), name)).toBe(false)
  })
  it('cannot tell where offsets point anywhere', () => {
    expect([isComplete(Buffer.alloc(4), 'avif'), isComplete(Buffer.alloc(4), 'tiff')]).toEqual([
      true,
      true,
    ])
  })
})
