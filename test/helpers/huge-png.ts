// A PNG of any size in moments and little memory: all its rows are alike, so their deflated form repeats.

import { constants, crc32, deflateRawSync } from 'node:zlib'

const ROWS_PER_BLOCK = 100
/** The slowest of the filters to undo. */
const PAETH = 4
const ADLER = 65521n

/** RGBA of 16 bits per channel, transparent; 8 bytes a pixel to unpack. @param height a multiple of 100 */
export function hugePng(width: number, height: number): Buffer {
  const row = Buffer.alloc(1 + 8 * width)
  row[0] = PAETH
  const rows = Buffer.concat(Array<Buffer>(ROWS_PER_BLOCK).fill(row))
  const block = deflateRawSync(rows, { level: 1, finishFlush: constants.Z_FULL_FLUSH })
  const end = deflateRawSync(Buffer.alloc(0))
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([16, 6, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk(
      'IDAT',
      Buffer.concat([
        Buffer.from([0x78, 0x01]),
        ...Array<Buffer>(height / ROWS_PER_BLOCK).fill(block),
        end,
        adler32(BigInt(row.length), BigInt(height)),
      ]),
    ),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Of the unpacked rows: zeros but for the filter at the start of each. */
function adler32(rowLength: bigint, height: bigint): Buffer {
  const length = rowLength * height
  const filter = BigInt(PAETH)
  const a = 1n + filter * height
  // Each byte counts once for itself and once for every byte after it.
  const b = length + (filter * rowLength * height * (height + 1n)) / 2n
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(Number((b % ADLER) * 65536n + (a % ADLER)))
  return sum
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), content])
  const framing = Buffer.alloc(8)
  framing.writeUInt32BE(content.length, 0)
  framing.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([framing.subarray(0, 4), body, framing.subarray(4)])
}
