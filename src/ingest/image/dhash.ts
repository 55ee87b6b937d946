// 64-bit difference hash: near copies of an image (re-compressed, resized) differ in 0-2 bits.

import type { DecodedImage } from '../../core/types.ts'

const COLUMNS = 9
const ROWS = 8
// Pixels read per cell and axis at most: more change no bit that survives re-compression.
const SAMPLES = 16

/**
 * The image is cut into 9 x 8 cells; a cell's value is the mean luma (ITU-R BT.601) of its pixels,
 * of a regular grid of them where a cell has more than 16 per axis. Bit = the cell is brighter than
 * its left neighbour; row by row from the top left, the first bit is the highest.
 *
 * @returns 16 hex digits
 */
export function dhash(image: DecodedImage): string {
  const columns = edges(image.width, COLUMNS)
  let hex = ''
  for (const row of edges(image.height, ROWS)) {
    let bits = 0
    let left = 0
    for (const [index, column] of columns.entries()) {
      const mean = meanLuma(image, { column, row })
      if (index > 0) bits = (bits << 1) | (mean > left ? 1 : 0)
      left = mean
    }
    hex += bits.toString(16).padStart(2, '0')
  }
  return hex
}

interface Cell {
  readonly start: number
  readonly end: number
  readonly step: number
}

/** `count` cells along an axis of `size` pixels; each has at least one, so small images share some. */
function edges(size: number, count: number): Cell[] {
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor((index * size) / count)
    const end = Math.max(start + 1, Math.floor(((index + 1) * size) / count))
    return { start, end, step: Math.max(1, Math.floor((end - start) / SAMPLES)) }
  })
}

function meanLuma(
  { data, width }: DecodedImage,
  { column, row }: { readonly column: Cell; readonly row: Cell },
): number {
  let [red, green, blue] = [0, 0, 0]
  let count = 0
  for (let y = row.start; y < row.end; y += row.step) {
    const end = (y * width + column.end) * 3
    for (let at = (y * width + column.start) * 3; at < end; at += column.step * 3) {
      red += data[at]!
      green += data[at + 1]!
      blue += data[at + 2]!
      count++
    }
  }
  return (299 * red + 587 * green + 114 * blue) / count
}
