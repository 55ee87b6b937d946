// How often a text was seen, for more texts than a Map can hold (2^24) and in a tenth of its memory.

import { createHash } from 'node:crypto'

const MAX_LOAD = 0.7

/**
 * Counts by the first 64 bits of a text's sha256, in open addressing: 12 bytes per slot, at most 35 bytes
 * per text. Among 100 million texts two share those bits with a probability of 0.03 %.
 */
export class DigestCounter {
  #capacity: number
  #size = 0
  #high: Uint32Array
  #low: Uint32Array
  #counts: Uint32Array

  /** @param capacity of slots at first, a power of two */
  constructor(capacity = 1024) {
    this.#capacity = capacity
    this.#high = new Uint32Array(capacity)
    this.#low = new Uint32Array(capacity)
    this.#counts = new Uint32Array(capacity)
  }

  /** @returns how often the text was added, this time included */
  add(text: string): number {
    if (this.#size >= this.#capacity * MAX_LOAD) this.#grow()
    const [high, low] = digestOf(text)
    const slot = this.#slotOf(high, low)
    if (this.#counts[slot] === 0) this.#size++
    this.#high[slot] = high
    this.#low[slot] = low
    return ++this.#counts[slot]!
  }

  /** How often the text was added. */
  count(text: string): number {
    return this.#counts[this.#slotOf(...digestOf(text))]!
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

function digestOf(text: string): [high: number, low: number] {
  const digest = createHash('sha256').update(text).digest()
  return [digest.readUInt32BE(0), digest.readUInt32BE(4)]
}
