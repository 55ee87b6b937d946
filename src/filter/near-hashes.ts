// Hashes within some bits of each other.

import { bitCount } from '../core/dhash-distance.ts'

const HASH_BITS = 64

/** A hash that was added, of an image. */
export interface NearHash {
  /** 16 hex digits. */
  readonly dhash: string
  readonly image: string
}

interface Entry extends NearHash {
  /** Signed 32-bit halves. */
  readonly high: number
  readonly low: number
  /** In the order of adding. */
  readonly place: number
}

/**
 * Finds a 64-bit hash within `bits` of those added: of bits + 1 pieces of two such hashes at least one
 * is equal, so only hashes that share a piece are compared. Time per hash grows with the number of
 * hashes over 2^(64 / (bits + 1)); from 12 bits on such pieces tell nothing apart, and all are compared.
 */
export class NearHashes {
  readonly #bits: number
  readonly #width: number
  readonly #pieces: Map<number, Entry[]>[]
  #count = 0

  /** @param bits 0 for equal hashes, up to 16 */
  constructor(bits: number) {
    this.#bits = bits
    // A piece is cut from the 32-bit halves; wider ones would compare less, but not find more.
    const width = Math.min(32, Math.floor(HASH_BITS / (bits + 1)))
    const isWorthIt = 2 * (bits + 1) <= 2 ** width
    this.#width = isWorthIt ? width : 0
    this.#pieces = Array.from(
      { length: isWorthIt ? bits + 1 : 1 },
      () => new Map<number, Entry[]>(),
    )
  }

  /**
   * @param dhash 16 hex digits
   * @returns the first one added that is near enough
   */
  find(dhash: string): NearHash | undefined {
    const { high, low } = halves(dhash)
    const bits = this.#bits
    const isNear = (one: Entry) => bitCount(one.high ^ high) + bitCount(one.low ^ low) <= bits
    let first: Entry | undefined
    for (const [index, piece] of this.#pieces.entries()) {
      const found = piece.get(this.#key(high, low, index))?.find(isNear)
      if (found !== undefined && found.place < (first?.place ?? Infinity)) first = found
    }
    return first
  }

  add(dhash: string, image = ''): void {
    const { high, low } = halves(dhash)
    const entry: Entry = { dhash, image, high, low, place: this.#count++ }
    for (const [index, piece] of this.#pieces.entries()) {
      const key = this.#key(high, low, index)
      const entries = piece.get(key)
      if (entries === undefined) piece.set(key, [entry])
      else entries.push(entry)
    }
  }

  /** Bits [index * width, (index + 1) * width) counted from the lowest. */
  #key(high: number, low: number, index: number): number {
    const from = index * this.#width
    const below = from >= 32 ? high >>> (from - 32) : low >>> from
    const above = from > 0 && from < 32 ? high << (32 - from) : 0
    const piece = (below | above) >>> 0
    return this.#width === 32 ? piece : piece & ((1 << this.#width) - 1)
  }
}

function halves(dhash: string): { high: number; low: number } {
  return { high: parseInt(dhash.slice(0, 8), 16) | 0, low: parseInt(dhash.slice(8), 16) | 0 }
}
