// Hashes within some bits of each other.

const HASH_BITS = 64

interface Entry {
  readonly high: number
  readonly low: number
  readonly image: string
}

/**
 * Finds a 64-bit hash within `bits` of those added: of bits + 1 pieces of two such hashes at least one
 * is equal, so only hashes that share a piece are compared. Time per hash grows with the number of
 * hashes over 2^(64 / (bits + 1)).
 */
export class NearHashes {
  readonly #bits: number
  readonly #width: number
  readonly #pieces: Map<number, Entry[]>[]

  /** @param bits 1 to 7, or 0 for equal hashes */
  constructor(bits: number) {
    this.#bits = bits
    // A piece is cut from the 32-bit halves; wider ones would compare less, but not find more.
    this.#width = Math.min(32, Math.floor(HASH_BITS / (bits + 1)))
    this.#pieces = Array.from({ length: bits + 1 }, () => new Map<number, Entry[]>())
  }

  /**
   * @param dhash 16 hex digits
   * @param image entries of the same image are passed over: they are no near-duplicates
   */
  has(dhash: string, image?: string): boolean {
    const { high, low } = halves(dhash)
    return this.#pieces.some((piece, index) =>
      piece
        .get(this.#key(high, low, index))
        ?.some(
          (one) =>
            (image === undefined || one.image !== image) &&
            popCount(one.high ^ high) + popCount(one.low ^ low) <= this.#bits,
        ),
    )
  }

  add(dhash: string, image = ''): void {
    const entry: Entry = { ...halves(dhash), image }
    for (const [index, piece] of this.#pieces.entries()) {
      const key = this.#key(entry.high, entry.low, index)
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
  return { high: parseInt(dhash.slice(0, 8), 16), low: parseInt(dhash.slice(8), 16) }
}

function popCount(word: number): number {
  let rest = word - ((word >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
