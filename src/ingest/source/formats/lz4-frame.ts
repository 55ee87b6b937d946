// LZ4 frames, which Arrow bodies are compressed with. Blocks may refer back into earlier ones, so all
// of a frame is unpacked into one buffer.

const MAGIC = 0x184d2204
const MAX_LENGTH = 2 ** 30

/**
 * Unpacks one frame; checksums are not verified.
 *
 * @throws RangeError if the bytes are no frame, or it unpacks to more than 1 GiB
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export function decodeLz4Frame(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (view.getUint32(0, true) !== MAGIC) throw new RangeError('no LZ4 frame')
  const flags = view.getUint8(4)
  const hasBlockChecksum = (flags & 0x10) !== 0
  const hasSize = (flags & 0x08) !== 0
  const hasDictionary = (flags & 0x01) !== 0
  // Magic, flags, block descriptor, optional sizes, header checksum.
  let at = 4 + 2 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0) + 1
  let output = new Uint8Array(Math.max(1024, frame.length * 4))
  let length = 0
  const reserve = (extra: number): void => {
    if (length + extra <= output.length) return
    if (length + extra > MAX_LENGTH) throw new RangeError('LZ4 frame of more than 1 GiB')
    const larger = new Uint8Array(Math.min(MAX_LENGTH, Math.max(output.length * 2, length + extra)))
    larger.set(output.subarray(0, length))
    output = larger
  }
  const copyBack = (distance: number, count: number): void => {
    if (distance === 0 || distance > length) throw new RangeError('LZ4 match before its beginning')
    reserve(count)
    // One by one: a match may overlap what it makes.
    for (let i = 0; i < count; i++, length++) output[length] = output[length - distance]!
  }
  const copyIn = (from: number, count: number): void => {
    if (from + count > frame.length) throw new RangeError('LZ4 frame that is cut')
    reserve(count)
    output.set(frame.subarray(from, from + count), length)
    length += count
  }
  for (;;) {
    const header = view.getUint32(at, true)
    at += 4
    if (header === 0) return output.slice(0, length)
    const end = at + (header & 0x7fffffff)
    if (end > frame.length) throw new RangeError('LZ4 block that is cut')
    if (header >>> 31 === 1) copyIn(at, end - at)
    else {
      while (at < end) {
        const token = view.getUint8(at++)
        const lengthFrom = (nibble: number): number => {
          let total = nibble
          for (let byte = nibble === 15 ? 255 : 0; byte === 255;) {
            byte = view.getUint8(at++)
            total += byte
          }
          return total
        }
        const literals = lengthFrom(token >> 4)
        copyIn(at, literals)
        at += literals
        // The last sequence of a block is literals alone.
        if (at >= end) break
        const distance = view.getUint16(at, true)
        at += 2
        copyBack(distance, lengthFrom(token & 15) + 4)
      }
    }
    at = end + (hasBlockChecksum ? 4 : 0)
  }
}
