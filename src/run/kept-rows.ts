// What a new version of a shard takes over from the one before.

import { retryOf, type ReasonCode, type Reject } from '../core/reasons.ts'
import type { GroundingRow } from '../core/types.ts'
import type { StoredImage } from '../store/images-tar.ts'
import type { CommittedShard } from '../store/shards.ts'

/** Rows of the version before. */
export interface KeptRows {
  readonly rows: readonly GroundingRow[]
  readonly rejects: readonly Reject[]
  /** The rows to label again, with the code that they had. */
  readonly retried: ReadonlyMap<number, ReasonCode>
  readonly droppedPhrases: number
  images(): AsyncIterable<StoredImage>
}

/** @throws InputError if the shard's files cannot be read */
export async function readKept(shard: CommittedShard): Promise<KeptRows> {
  const rows: GroundingRow[] = []
  for await (const row of shard.rows()) rows.push(row)
  const rejects: Reject[] = []
  const retried = new Map<number, ReasonCode>()
  for await (const reject of shard.rejects()) {
    if (retryOf(reject.code) === 'never') rejects.push(reject)
    else retried.set(reject.row, reject.code)
  }
  const { droppedPhrases } = shard.commit.counts
  return { rows, rejects, retried, droppedPhrases, images: () => shard.images() }
}

/** Hands out the images of the version before, in row order, up to a key at a time. */
export interface KeptImages {
  /** @param before a key that is not among them; absent: all that are left */
  take(before?: string): AsyncIterable<StoredImage>
  close(): Promise<void>
}

/** @param images in row order */
export function createKeptImages(images: AsyncIterable<StoredImage>): KeptImages {
  const iterator = images[Symbol.asyncIterator]()
  let next: StoredImage | undefined
  return {
    async *take(before) {
      for (;;) {
        next ??= (await iterator.next()).value as StoredImage | undefined
        if (next === undefined || (before !== undefined && next.key > before)) return
        const image = next
        next = undefined
        yield image
      }
    },
    close: async () => {
      await iterator.return?.()
    },
  }
}

/** The items of the wanted rows. */
export async function* onlyRows<T extends { readonly row: number }>(
  items: AsyncIterable<T>,
  wanted: ReadonlyMap<number, unknown>,
): AsyncGenerator<T> {
  for await (const item of items) if (wanted.has(item.row)) yield item
}
