import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { dhash } from '../../../src/ingest/image/dhash.ts'
import { makePixels } from '../../helpers/images.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

/** Grey of the x coordinate, or of its mirror image. */
function ramp(width: number, height: number, falling: boolean) {
  const data = new Uint8Array(width * height * 3)
  for (let pixel = 0; pixel < width * height; pixel++) {
    const x = pixel % width
    data.fill(falling ? width - 1 - x : x, pixel * 3, pixel * 3 + 3)
  }
  return { data, width, height }
}

describe('dhash', () => {
  it('has a bit for each cell that is brighter than the one before', () => {
    expect(dhash(ramp(90, 80, false))).toBe('ffffffffffffffff')
    expect(dhash(ramp(90, 80, true))).toBe('0000000000000000')
  })
  it('reads rows from the top and columns from the left', () => {
    const image = ramp(90, 80, true)
    // The cell of row 2, column 5 becomes white: brighter than its left neighbour, the next is not.
    for (let y = 20; y < 30; y++) image.data.fill(255, (y * 90 + 50) * 3, (y * 90 + 60) * 3)

    expect(dhash(image)).toBe('0000080000000000')
  })
  it('is made of images smaller than the grid, too', () => {
    expect(dhash(ramp(1, 1, false))).toBe('0000000000000000')
    expect(dhash(ramp(3, 2, false))).toMatch(/^[0-9a-f]{16}$/)
  })
  it('weighs colours by their luma', () => {
    const [width, height] = [9, 8]
    const data = new Uint8Array(width * height * 3)
    const [red, green, blue] = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
    ] as const
    const line = [blue, red, green, blue, red, green, blue, red, green]
    for (let y = 0; y < height; y++) line.forEach((c, x) => data.set(c, (y * width + x) * 3))

    expect(dhash({ data, width, height })).toBe('db'.repeat(8))
  })
  it('is that of the definition written in Python', async (test) => {
    const python = process.env['GROUNDMILL_PYTHON']
    if (python === undefined) return test.skip('set GROUNDMILL_PYTHON to a Python with Pillow')
    const folder = await temporaryFolder()
    const sizes = [
      [640, 480],
      [333, 517],
      [9, 8],
      [7, 5],
      [1000, 40],
      [31, 900],
    ] as const
    const ours: string[] = []
    for (const [seed, [width, height]] of sizes.entries()) {
      const data = await makePixels({ width, height, seed })
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(path.join(folder, `${seed}.png`))
      ours.push(dhash({ data, width, height }))
    }

    const script = path.join(import.meta.dirname, 'dhash_reference.py')
    const files = (await fs.readdir(folder)).sort().map((name) => path.join(folder, name))
    const theirs = execFileSync(python, [script, ...files], { encoding: 'utf8' })
      .trim()
      .split('\n')

    expect(theirs).toEqual(ours)
  })
})
