import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { createImageChecker } from '../../../src/ingest/image/check.ts'
import { imageOptionsSchema } from '../../../src/ingest/image/options.ts'
import { checkParts } from '../../../src/ingest/image/parts.ts'
import { makeImage } from '../../helpers/images.ts'
import { withFrames, withScans } from '../../helpers/many-parts.ts'

const checker = createImageChecker(imageOptionsSchema.parse({}))

async function outcomeOf(bytes: Uint8Array): Promise<string> {
  return checker
    .check(bytes, new AbortController().signal, () => undefined)
    .then(
      () => 'ok',
      (error: unknown) => (error as { code: string }).code,
    )
}

const progressive = async (width: number, height: number) =>
  (await makeImage({ width, height })).jpeg({ progressive: true }).toBuffer()

describe('a JPEG of many scans', () => {
  // 4:2:0, so the first component has two blocks of each 16 px.
  const blocks = (width: number, height: number) =>
    4 * Math.ceil(width / 16) * Math.ceil(height / 16)

  it('is an image as long as there are not too many', async () => {
    const jpeg = await progressive(120, 80)
    const own = jpeg.toString('latin1').split('\xff\xda').length - 1

    expect(own).toBeLessThan(20)
    for (const [scans, code] of [
      [0, 'ok'],
      [100 - own, 'ok'],
      [101 - own, 'too_many_parts'],
    ] as const) {
      expect(await outcomeOf(withScans(jpeg, blocks(120, 80), scans)), String(scans)).toBe(code)
    }
  })
  it('is refused before it is decoded', { tags: 'long' }, async () => {
    // Without the rule a minute or more, which no time-out ends.
    const bomb = withScans(await progressive(4800, 4800), blocks(4800, 4800), 100_000)

    // Told without a decoder, and by the checker before it asks one.
    expect(() => checkParts(bomb, 'jpg')).toThrow('more than 100 scans')
    expect(await outcomeOf(bomb)).toBe('too_many_parts')
  })
  it('is not seen in what follows the image or is in its segments', async () => {
    const jpeg = await progressive(120, 80)
    const scans = Buffer.alloc(60_000, Buffer.from([0xff, 0xda, 0, 2]))
    const segment = Buffer.concat([Buffer.from([0xff, 0xe5, 0xea, 0x62]), scans])
    const inside = Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)])

    expect(await outcomeOf(Buffer.concat([jpeg, scans]))).toBe('ok')
    expect(await outcomeOf(inside)).toBe('ok')
  })
  it.each([
    [[0xff]],
    [[0xff, 0xda]],
    [[0xff, 0xda, 0]],
    [[0xff, 0xe1, 0xff, 0xff]],
    [[0xff, 0xe1, 0, 0]],
  ])('may end anywhere: %j', async (bytes) => {
    expect(await outcomeOf(Buffer.from([0xff, 0xd8, ...bytes]))).toMatch(
      /^(not_image|decode_error|decode_truncated)$/,
    )
  })
})

describe('a JPEG of many segments', () => {
  it.each([
    [9_000, 'ok'],
    [5_000_000, 'too_many_parts'],
  ])('of which there are %i: %s', async (segments, code) => {
    const jpeg = await progressive(120, 80)
    const empty = Buffer.alloc(6 * segments, Buffer.from([0xff, 0xe2, 0, 4, 0, 0]))
    const before = process.memoryUsage().rss

    expect(await outcomeOf(Buffer.concat([jpeg.subarray(0, 2), empty, jpeg.subarray(2)]))).toBe(
      code,
    )
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20)
  })
})

describe('a WebP of many frames', () => {
  const still = async () => (await makeImage({ width: 64, height: 64 })).webp().toBuffer()

  it('is an image as long as there are not too many', async () => {
    const image = await still()
    const [most, more] = [withFrames(image, 4096), withFrames(image, 4097)]

    expect((await sharp(withFrames(image, 3)).metadata()).pages).toBe(3)
    expect(await outcomeOf(most)).toBe('ok')
    expect(await outcomeOf(more)).toBe('too_many_parts')
  })
  it('is refused before it is decoded', { tags: 'long' }, async () => {
    // Without the rule minutes, with the square of their number.
    const bomb = withFrames(await still(), 100_000)

    expect(() => checkParts(bomb, 'webp')).toThrow('more than 4096 frames')
    expect(await outcomeOf(bomb)).toBe('too_many_parts')
  })
  it('may end anywhere, and claim any length', async () => {
    const bytes = withFrames(await still(), 3)
    for (const length of [12, 13, 19, 20, 40, bytes.length - 1]) {
      expect(await outcomeOf(bytes.subarray(0, length))).toMatch(/^decode_|^not_image$/)
    }
    bytes.writeUInt32LE(0xffff_ffff, 16)
    expect(await outcomeOf(bytes)).toMatch(/^decode_/)
  })
})
