// Batches formed from the order of what comes in and nothing else, so that a rerun forms the same ones.

/** Items of one key that came close together. */
interface Bucket<T> {
  readonly items: T[]
  /** Number of the group that opened the bucket. */
  readonly since: number
}

/**
 * Collects items of equal key into batches of `size`. A group (the prompts of one image) stays together
 * unless it is larger than a batch. A batch is given out when it is full, when the next group does not
 * fit, or when its first item has waited for `window` further groups.
 */
export class Batcher<T> {
  readonly #size: number
  readonly #window: number
  readonly #buckets = new Map<string, Bucket<T>>()
  #groups = 0

  constructor(size: number, window: number) {
    this.#size = size
    this.#window = window
  }

  /** @returns the batches that are complete with this group, oldest first */
  add(key: string, group: readonly T[]): T[][] {
    this.#groups++
    const ready = this.#expired()
    if (group.length === 0) return ready
    const bucket = this.#buckets.get(key)
    if (bucket !== undefined && bucket.items.length + group.length > this.#size) {
      ready.push(bucket.items)
      this.#buckets.delete(key)
    }
    let from = 0
    for (; group.length - from > this.#size; from += this.#size) {
      ready.push(group.slice(from, from + this.#size))
    }
    const open = this.#buckets.get(key) ?? { items: [], since: this.#groups }
    open.items.push(...group.slice(from))
    if (open.items.length === this.#size) {
      ready.push(open.items)
      this.#buckets.delete(key)
    } else {
      this.#buckets.set(key, open)
    }
    return ready
  }

  /** @returns what is left, oldest first */
  flush(): T[][] {
    const rest = [...this.#buckets.values()].map(({ items }) => items)
    this.#buckets.clear()
    return rest
  }

  #expired(): T[][] {
    const ready: T[][] = []
    for (const [key, bucket] of this.#buckets) {
      if (this.#groups - bucket.since < this.#window) break // buckets are in order of `since`
      ready.push(bucket.items)
      this.#buckets.delete(key)
    }
    return ready
  }
}
