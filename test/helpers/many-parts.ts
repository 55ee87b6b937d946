// Images of a few kilobytes in parts without number, all of which a decoder goes through.

/** The progressive JPEG with further scans that say nothing new. @param blocks of its first component */
export function withScans(jpeg: Buffer, blocks: number, scans: number): Buffer {
  const end = jpeg.lastIndexOf(Buffer.from([0xff, 0xd9]))
  // One code, "0": 2^14 blocks and as many more as the next 14 bits say end here.
  const table = Buffer.from([0xff, 0xc4, 0, 20, 0x10, 1, ...Array<number>(15).fill(0), 0xe0])
  // Coefficients 1 to 63 of the first component.
  const header = Buffer.from([0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0])
  const bits = `0${'1'.repeat(14)}`.repeat(Math.ceil(blocks / 32_767))
  const padded = bits.padEnd(8 * Math.ceil(bits.length / 8), '1')
  const data = (padded.match(/.{8}/g) ?? []).flatMap((byte) =>
    byte === '11111111' ? [0xff, 0] : [parseInt(byte, 2)],
  )
  const scan = Buffer.concat([table, header, Buffer.from(data)])
  return Buffer.concat([
    jpeg.subarray(0, end),
    ...Array<Buffer>(scans).fill(scan),
    jpeg.subarray(end),
  ])
}

/** An animation that shows the still WebP of 64 x 64 px again and again. */
export function withFrames(still: Buffer, frames: number): Buffer {
  const size = [63, 0, 0, 63, 0, 0]
  const frame = chunk(
    'ANMF',
    Buffer.concat([
      Buffer.from([0, 0, 0, 0, 0, 0, ...size, 100, 0, 0, 0]),
      still.subarray(12), // behind "RIFF", its length and "WEBP"
    ]),
  )
  return chunk(
    'RIFF',
    Buffer.concat([
      Buffer.from('WEBP'),
      chunk('VP8X', Buffer.from([2, 0, 0, 0, ...size])),
      chunk('ANIM', Buffer.alloc(6)),
      ...Array<Buffer>(frames).fill(frame),
    ]),
  )
}

function chunk(name: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.write(name, 'latin1')
  head.writeUInt32LE(content.length, 4)
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)])
}
