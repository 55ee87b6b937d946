import type { JpegOptions } from 'sharp'
import { describe, expect, it } from 'vitest'
import { readJpegHeader } from '../../../src/ingest/image/jpeg-header.ts'
import { makeImage } from '../../helpers/images.ts'

const SIZE = { width: 120, height: 80 }
const jpeg = async (options: JpegOptions = {}) => (await makeImage(SIZE)).jpeg(options).toBuffer()

describe('readJpegHeader', () => {
  it.each([
    [{}, { progressive: false, samplesPerPixel: 1.5 }],
    [{ progressive: true }, { progressive: true, samplesPerPixel: 1.5 }],
    [{ chromaSubsampling: '4:4:4' }, { progressive: false, samplesPerPixel: 3 }],
  ])('of %j', async (options, expected) => {
    expect(readJpegHeader(await jpeg(options))).toEqual({ ...SIZE, ...expected })
  })
  it('of a grey one', async () => {
    const grey = await (await makeImage(SIZE)).toColourspace('b-w').jpeg().toBuffer()

    expect(readJpegHeader(grey)).toEqual({ ...SIZE, progressive: false, samplesPerPixel: 1 })
  })
  it('leaves what may be turned, or has other colours, to the decoder', async () => {
    const turned = await (await makeImage(SIZE)).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    const cmyk = await (await makeImage(SIZE)).toColourspace('cmyk').jpeg().toBuffer()

    expect(readJpegHeader(turned)).toBeUndefined()
    expect(readJpegHeader(cmyk)).toBeUndefined()
  })
  it('reads on after fill bytes, and is not misled by a damaged header', async () => {
    const bytes = await jpeg()
    const fill = Buffer.concat([bytes.subarray(0, 2), Buffer.from([0xff, 0xff]), bytes.subarray(2)])

    expect(readJpegHeader(fill)).toMatchObject(SIZE)
    for (let length = 0; length < 300; length++) {
      const header = readJpegHeader(bytes.subarray(0, length))
      expect(header === undefined || header.width === SIZE.width).toBe(true)
    }
    expect(readJpegHeader(Buffer.from('\xff\xd8 no jpeg', 'latin1'))).toBeUndefined()
  })
  it.each([
    ['12 bits', 4, [12]],
    ['a height that comes later', 5, [0, 0]],
    ['two channels', 9, [2]],
    ['a sampling factor of 0', 11, [0]],
  ])('does not take %s for ordinary', async (_, offset, values) => {
    const bytes = await jpeg()
    const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]))
    bytes.set(values, frame + offset)

    expect(readJpegHeader(bytes)).toBeUndefined()
  })
})
