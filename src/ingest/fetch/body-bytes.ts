// A body as it grows. Its chunks are copied: kept as they come, a body in chunks of one byte would take
// a hundred times its size.

const FIRST_BLOCK = 64 * 1024
const MAX_BLOCK = 1024 * 1024

/**
 * The bytes so far, in few blocks.
 *
 * @param expected bytes, if that is known; memory is touched only as they come
 */
export function createBodyBytes(expected: number) {
  const blocks: Buffer[] = []
  let last: Buffer = Buffer.alloc(0)
  /** Bytes used of the last block. */
  let used = 0
  let length = 0

  const addBlock = (): void => {
    const size = Math.min(MAX_BLOCK, FIRST_BLOCK * 2 ** blocks.length)
    last = Buffer.allocUnsafeSlow(blocks.length === 0 && expected > 0 ? expected : size)
    blocks.push(last)
    used = 0
  }
  return {
    get length() {
      return length
    },
    append: (chunk: Uint8Array): void => {
      // A body that came in one piece is left as it is.
      if (chunk.length === expected && length === 0) {
        last = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        used = length = chunk.length
        blocks.push(last)
        return
      }
      for (let from = 0; from < chunk.length;) {
        if (used === last.length) addBlock()
        const part = chunk.subarray(from, from + last.length - used)
        last.set(part, used)
        used += part.length
        from += part.length
      }
      length += chunk.length
    },
    /** All bytes so far; not to be changed. The only block holds little more; several are joined. */
    whole: (): Uint8Array =>
      blocks.length === 1 ? last.subarray(0, length) : Buffer.concat(blocks, length),
  }
}
