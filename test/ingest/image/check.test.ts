import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import { createImageChecker } from '../../../src/ingest/image/check.ts'
import { dhashDistance } from '../../../src/core/dhash-distance.ts'
import { imageOptionsSchema, type ImageOptions } from '../../../src/ingest/image/options.ts'
import { makeImage, makeJpeg } from '../../helpers/images.ts'
import { hugePng } from '../../helpers/huge-png.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)

function check(bytes: Uint8Array, options: Partial<ImageOptions> = {}) {
  return createImageChecker(imageOptionsSchema.parse(options)).check(
    bytes,
    signal,
    (image) => image,
  )
}

async function codeOf(bytes: Uint8Array, options: Partial<ImageOptions> = {}): Promise<string> {
  try {
    await check(bytes, options)
    return 'ok'
  } catch (error) {
    if (error instanceof SampleError) return error.code
    throw error
  }
}

const SIZE = { width: 120, height: 80 }

/** Quadrants of pure colour, 60 x 40 px in all, so that every turn and flip can be told. */
const COLOURS = { R: [255, 0, 0], G: [0, 255, 0], B: [0, 0, 255], W: [255, 255, 255] } as const

function quadrants(): Sharp {
  const [width, height] = [60, 40]
  const data = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const letter = y < height / 2 ? (x < width / 2 ? 'R' : 'G') : x < width / 2 ? 'B' : 'W'
      data.set(COLOURS[letter], (y * width + x) * 3)
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
}

/** The colours of the quadrants' centres, row by row. */
function quadrantsOf({ data, width, height }: { data: Uint8Array; width: number; height: number }) {
  const letter = (x: number, y: number) => {
    const at = (Math.floor(y * height) * width + Math.floor(x * width)) * 3
    const near = Object.entries(COLOURS).find(([, colour]) =>
      colour.every((value, channel) => Math.abs(value - data[at + channel]!) < 40),
    )
    return near?.[0] ?? '?'
  }
  return letter(0.25, 0.25) + letter(0.75, 0.25) + letter(0.25, 0.75) + letter(0.75, 0.75)
}

async function rawOf(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes).raw().toBuffer()
}

describe('an image that needs no change', () => {
  it.each([
    ['jpg', async () => (await makeImage(SIZE)).jpeg().toBuffer()],
    ['jpg', async () => (await makeImage(SIZE)).jpeg({ progressive: true }).toBuffer()],
    ['jpg', async () => (await makeImage(SIZE)).toColourspace('b-w').jpeg().toBuffer()],
    ['png', async () => (await makeImage(SIZE)).png().toBuffer()],
    ['png', async () => (await makeImage(SIZE)).png({ palette: true }).toBuffer()],
    ['png', async () => (await makeImage(SIZE)).ensureAlpha(1).png().toBuffer()],
    ['webp', async () => (await makeImage(SIZE)).webp().toBuffer()],
    ['webp', async () => (await makeImage(SIZE)).webp({ lossless: true }).toBuffer()],
  ] as const)('keeps its bytes (%s, %#)', async (format, make) => {
    const bytes = await make()

    const loaded = await check(bytes)

    expect(loaded).toMatchObject({ format, isReencoded: false, ...SIZE })
    expect(loaded.bytes).toBe(bytes)
    expect(loaded.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(loaded.dhash).toMatch(/^[0-9a-f]{16}$/)
    expect(loaded.used).toMatchObject(SIZE)
    const rgb = await sharp(bytes).toColourspace('srgb').removeAlpha().raw().toBuffer()
    expect(Buffer.compare(loaded.used.data, rgb)).toBe(0)
  })
  it('keeps what follows the end of the image, and hashes it', async () => {
    const image = await makeJpeg(SIZE)
    const bytes = Buffer.concat([image, Buffer.alloc(1_000_000, 'PK\x03\x04')])

    const [plain, longer] = [await check(image), await check(bytes)]

    expect(longer.bytes).toBe(bytes)
    expect(longer.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(longer.dhash).toBe(plain.dhash)
  })
})

describe('an image that other readers would see otherwise', () => {
  // Upright quadrants by EXIF orientation, of an image stored as RG/BW.
  it.each([
    [1, 'RGBW', false],
    [2, 'GRWB', false],
    [3, 'WBGR', false],
    [4, 'BWRG', false],
    [5, 'RBGW', true],
    [6, 'BRWG', true],
    [7, 'WGBR', true],
    [8, 'GWRB', true],
  ])('is stored upright for orientation %i', async (orientation, expected, turned) => {
    const bytes = await quadrants().jpeg({ quality: 95 }).withMetadata({ orientation }).toBuffer()

    const loaded = await check(bytes)

    const size = turned ? { width: 40, height: 60 } : { width: 60, height: 40 }
    expect(loaded).toMatchObject({ ...size, format: 'jpg', isReencoded: orientation !== 1 })
    expect(quadrantsOf(loaded.used)).toBe(expected)
    expect(quadrantsOf({ ...size, data: await rawOf(loaded.bytes) })).toBe(expected)
    expect((await sharp(loaded.bytes).metadata()).orientation ?? 1).toBe(1)
    // Of the bytes as received, so that lists of hashes match.
    expect(loaded.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  })
  it('is 8 bits deep afterwards', async () => {
    const values = Uint16Array.from({ length: 40 * 40 * 3 }, (_, index) => (index * 13) % 65536)
    const bytes = await sharp(values, { raw: { width: 40, height: 40, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')

    const loaded = await check(bytes)

    expect(loaded).toMatchObject({ format: 'png', isReencoded: true, width: 40, height: 40 })
    expect((await sharp(loaded.bytes).metadata()).depth).toBe('uchar')
    expect(Buffer.compare(await rawOf(loaded.bytes), loaded.used.data)).toBe(0)
  })
  it('has three channels afterwards when it was CMYK', async () => {
    const bytes = await quadrants().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer()
    expect((await sharp(bytes).metadata()).space).toBe('cmyk')

    const loaded = await check(bytes)

    expect(loaded).toMatchObject({ format: 'jpg', isReencoded: true, width: 60, height: 40 })
    expect(await sharp(loaded.bytes).metadata()).toMatchObject({ space: 'srgb', channels: 3 })
    const red = [...loaded.used.data.subarray(0, 3)]
    expect(red[0]).toBeGreaterThan(180)
    expect(red[1]).toBeLessThan(100)
  })
  it('lies over white where it was transparent', async () => {
    const data = Buffer.alloc(40 * 40 * 4)
    for (let i = 0; i < data.length; i += 4) data.set([200, 0, 0, i < data.length / 2 ? 0 : 128], i)
    const bytes = await sharp(data, { raw: { width: 40, height: 40, channels: 4 } })
      .png()
      .toBuffer()

    const loaded = await check(bytes)

    expect(loaded).toMatchObject({ format: 'png', isReencoded: true })
    const stored = await rawOf(loaded.bytes)
    expect([...stored.subarray(0, 3)]).toEqual([255, 255, 255])
    // 128 / 255 of the way from white to the colour.
    expect([...stored.subarray(-3)]).toEqual([227, 127, 127])
  })
  it.each(['gif', 'webp'] as const)('is its first frame when it moves (%s)', async (format) => {
    const frames = await Promise.all(
      ['#ff0000', '#00ff00', '#0000ff'].map((background) =>
        sharp({ create: { width: 48, height: 40, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    )
    const bytes = await sharp(frames, { join: { animated: true } })
      [format]({ ...(format === 'webp' ? { lossless: true } : {}), delay: [100, 100, 100] })
      .toBuffer()
    expect((await sharp(bytes).metadata()).pages).toBe(3)

    const loaded = await check(bytes)

    expect(loaded).toMatchObject({ width: 48, height: 40, isReencoded: true })
    const stored = await rawOf(loaded.bytes)
    expect(stored.length).toBe(48 * 40 * 3)
    expect(stored[0]).toBeGreaterThan(240)
    expect(stored[1]).toBeLessThan(15)
  })
  it('is written anew when the trainers do not read its format', async () => {
    const gif = await quadrants().gif().toBuffer()
    const tiff = await quadrants().tiff({ compression: 'lzw' }).toBuffer()
    const avif = await quadrants().avif({ quality: 90 }).toBuffer()
    const formats = ['jpg', 'gif', 'tiff', 'avif'] as const

    expect(await check(gif)).toMatchObject({ format: 'png', isReencoded: true })
    expect(await check(tiff, { formats: [...formats] })).toMatchObject({ format: 'png' })
    expect(await check(avif, { formats: [...formats] })).toMatchObject({ format: 'jpg' })
  })
  it('gives the same bytes every time', async () => {
    const bytes = await quadrants().jpeg().withMetadata({ orientation: 6 }).toBuffer()

    const [first, second] = [await check(bytes), await check(bytes)]

    expect(Buffer.compare(first.bytes, second.bytes)).toBe(0)
  })
})

describe('limits', () => {
  it('hold for the upright size', async () => {
    const wide = await makeJpeg({ width: 400, height: 20 })

    expect(await codeOf(wide)).toBe('too_small')
    expect(await codeOf(wide, { minSide: 20 })).toBe('ok')
    expect(await codeOf(wide, { minSide: 21 })).toBe('too_small')
    expect(await codeOf(wide, { minSide: 1, maxAspect: 19.9 })).toBe('aspect_ratio')
    expect(await codeOf(wide, { minSide: 1, maxAspect: 20 })).toBe('ok')
    expect(await codeOf(wide, { minSide: 1, maxPixels: 7999 })).toBe('too_many_pixels')
    expect(await codeOf(wide, { minSide: 1, maxPixels: 8000 })).toBe('ok')
    expect(await codeOf(wide, { minSide: 1, minBytes: wide.length + 1 })).toBe('too_few_bytes')
    expect(await codeOf(wide, { minSide: 1, minBytes: wide.length })).toBe('ok')
  })
  it('stop a pixel bomb before it is decoded', { timeout: 60_000 }, async () => {
    // 144 million pixels in under 2 MB; decoded they are 432 MB.
    const bomb = await sharp({
      create: { width: 12_000, height: 12_000, channels: 3, background: '#445566' },
    })
      .png()
      .toBuffer()
    expect(bomb.length).toBeLessThan(2_000_000)
    const before = process.memoryUsage().rss

    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(bomb)))

    expect(codes).toEqual(Array(8).fill('too_many_pixels'))
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20)
  })
  it('stop a header that promises more than there is', async () => {
    const png = await (await makeImage(SIZE)).png().toBuffer()
    png.writeUInt32BE(60_000, 16)
    png.writeUInt32BE(60_000, 20)

    // libpng may find the wrong checksum of the header first.
    expect(['too_many_pixels', 'decode_error']).toContain(await codeOf(png))
  })
  it(
    'end a decode that takes too long, and leave the decoder usable',
    { timeout: 60_000 },
    async () => {
      // Takes about 5 s here; the limit is in whole seconds.
      const slow = hugePng(16_000, 12_500)

      const failure = await check(slow, { maxPixels: 268_402_689, decodeTimeoutMs: 1000 }).catch(
        (error: unknown) => error,
      )

      expect(failure).toMatchObject({ code: 'decode_timeout', message: 'not decoded in 1 s' })
      expect(await codeOf(await makeJpeg(SIZE), { decodeTimeoutMs: 1000 })).toBe('ok')
    },
  )
  it('bound the pixels that are decoded at once', async () => {
    const bytes = await makeJpeg({ width: 300, height: 300 })
    const checker = createImageChecker(imageOptionsSchema.parse({ maxPixels: 100_000 }))

    const loaded = await Promise.all(
      Array.from({ length: 12 }, () => checker.check(bytes, signal, () => undefined)),
    )

    expect(new Set(loaded.map(({ dhash }) => dhash)).size).toBe(1)
  })
})

describe('what is no image', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect/></svg>'
  it.each([
    ['SVG', svg, 'format_blocked'],
    ['SVG after a declaration', `<?xml version="1.0"?>\n<!-- x -->\n${svg}`, 'format_blocked'],
    ['SVG after a byte order mark', `\ufeff  ${svg}`, 'format_blocked'],
    ['HTML', '<!DOCTYPE html><html><body>gone</body></html>', 'not_image'],
    ['HTML with an SVG far inside', `<html>${' '.repeat(40)}${svg}</html>`, 'not_image'],
    ['JSON', '{"error": "not found"}', 'not_image'],
    ['text', 'x', 'not_image'],
    ['PDF', '%PDF-1.7\n', 'not_image'],
    ['BMP', 'BM\0\0\0\0\0\0', 'format_blocked'],
    ['ICO', '\0\0\x01\0\x01\0', 'format_blocked'],
    ['Photoshop', '8BPS\0\x01', 'format_blocked'],
    ['TIFF, unless it is asked for', 'II*\0', 'format_blocked'],
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'format_blocked'],
    ['AVIF, unless it is asked for', '\0\0\0\x18ftypavif\0\0\0\0mif1miaf', 'format_blocked'],
    ['JPEG XL', '\xff\x0a', 'format_blocked'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n', 'format_blocked'],
    ['RIFF audio', 'RIFF\0\0\0\0WAVEfmt ', 'not_image'],
  ])('is named: %s', async (_, text, code) => {
    const isText = text.startsWith('<') || text.startsWith('\ufeff')

    expect(await codeOf(Buffer.from(text, isText ? 'utf8' : 'latin1'))).toBe(code)
  })
  it('is not rendered even if it begins like an image', async () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.from(svg)])

    expect(await codeOf(bytes)).toMatch(/^decode_/)
  })
})

describe('a damaged image', () => {
  it.each([
    ['jpeg', 0.6],
    ['jpeg', 0.1],
    ['png', 0.6],
    ['webp', 0.6],
    ['gif', 0.6],
  ] as const)('%s cut at %f is decode_truncated', async (format, share) => {
    const bytes = await (await makeImage(SIZE))[format]().toBuffer()

    const cut = bytes.subarray(0, Math.floor(bytes.length * share))

    expect(await codeOf(cut)).toBe('decode_truncated')
  })
  it('with all its bytes is decode_error', async () => {
    const png = await (await makeImage(SIZE)).png().toBuffer()
    png.fill(0x55, 200, 1200)
    const webp = await (await makeImage(SIZE)).webp().toBuffer()
    webp.fill(0x55, 20, 60)

    expect(await codeOf(png)).toBe('decode_error')
    expect(await codeOf(webp)).toBe('decode_error')
  })
  it('of random bytes behind a good beginning never does more than fail', async () => {
    const heads = {
      jpg: [0xff, 0xd8, 0xff, 0xe0],
      png: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
      gif: [...Buffer.from('GIF89a')],
      webp: [...Buffer.from('RIFF\x40\x01\0\0WEBPVP8 ', 'latin1')],
    }
    let state = 7
    const noise = () =>
      Buffer.from(Array.from({ length: 400 }, () => (state = (state * 137 + 11) % 257) & 255))
    for (const head of Object.values(heads)) {
      expect(await codeOf(Buffer.concat([Buffer.from(head), noise()]))).toMatch(
        /^(decode_error|decode_truncated|too_many_pixels|too_small|aspect_ratio)$/,
      )
    }
  })
})

describe('dhash of a checked image', () => {
  it('hardly changes when the image is compressed or scaled again', async () => {
    const original = await makeJpeg({ width: 640, height: 480, seed: 4 }, 90)
    const { dhash } = await check(original)
    const copies = [
      await sharp(original).jpeg({ quality: 40 }).toBuffer(),
      await sharp(original).resize(320).jpeg().toBuffer(),
      await sharp(original).webp().toBuffer(),
    ]
    const other = await check(await makeJpeg({ width: 640, height: 480, seed: 5 }, 90))

    for (const copy of copies) {
      expect(dhashDistance(dhash, (await check(copy)).dhash)).toBeLessThanOrEqual(2)
    }
    expect(dhashDistance(dhash, other.dhash)).toBeGreaterThan(8)
  })
})
