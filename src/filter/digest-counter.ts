// How often a digest was seen, for more digests than a Map can hold (2^24) and in a tenth of its memory.

const MAX_LOAD = 0.7

/**
 * Counts by the first 64 bits of a digest, in open addressing: 12 bytes per slot, at most 35 bytes per
 * digest. Among 100 million digests two share those bits with a probability of 0.03 %.
 */
export class DigestCounter {
  #capacity: number
  #size = 0
  #high: Uint32Array
  #low: Uint32Array
  #counts: Uint32Array

  constructor(capacity = 1024) {
    this.#capacity = capacity
    this.#high = new Uint32Array(capacity)
    this.#low = new Uint32Array(capacity)
    this.#counts = new Uint32Array(capacity)
  }

  /** @returns how often the digest was added, this time included */
  add(digest: Buffer): number {
    if (this.#size >= this.#capacity * MAX_LOAD) this.#grow()
    const [high, low] = [digest.readUInt32BE(0), digest.readUInt32BE(4)]
    const slot = this.#slotOf(high, low)
    if (this.#counts[slot] === 0) this.#size++
    this.#high[slot] = high
    this.#low[slot] = low
    return ++this.#counts[slot]!
  }

  count(digest: Buffer): number {
    return this.#counts[this.#slotOf(digest.readUInt32BE(0), digest.readUInt32BE(4))]!
  }

  /** The digest's slot, or the free one where it belongs. */
  #slotOf(high: number, low: number): number {
    const mask = this.#capacity - 1
    let slot = low & mask
    while (this.#counts[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #grow(): void {
    const [high, low, counts] = [this.#high, this.#low, this.#counts]
    this.#capacity *= 2
    this.#high = new Uint32Array(this.#capacity)
    this.#low = new Uint32Array(this.#capacity)
    this.#counts = new Uint32Array(this.#capacity)
    for (const [index, count] of counts.entries()) {
      if (count === 0) continue
      const slot = this.#slotOf(high[index]!, low[index]!)
      this.#high[slot] = high[index]!
      this.#low[slot] = low[index]!
      this.#counts[slot] = count
    }
  }
}
