// How far two 64-bit image hashes are from each other.

/** Bits in which two hashes of 16 hex digits differ, 0..64. */
export function dhashDistance(a: string, b: string): number {
  return (
    bitCount(Number.parseInt(a.slice(0, 8), 16) ^ Number.parseInt(b.slice(0, 8), 16)) +
    bitCount(Number.parseInt(a.slice(8), 16) ^ Number.parseInt(b.slice(8), 16))
  )
}

/** Bits set in a 32-bit integer: sums of 2, 4, then 8 neighbouring bits, then of all bytes. */
export function bitCount(value: number): number {
  const pairs = value - ((value >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
