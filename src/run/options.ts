// The `run:` section of the config.

import { z } from 'zod'

/** Limits and defaults of `run:`. */
export const runOptionsSchema = z.strictObject({
  /** Rows per shard: the unit of work, of resuming and of output. */
  samplesPerShard: z.int().min(1).max(100_000).default(1000),
  /** Rows labelled in all, from the first; absent: every row of the source. */
  limit: z.int().min(1).optional(),
  /**
   * Whether a shard keeps its images: `auto` stores what came from the web or out of an archive and
   * refers to local files in place.
   */
  storeImages: z.enum(['auto', 'always', 'never']).default('auto'),
  /**
   * Later rows of a shard that are refused: with a URL, an image (by sha256), or an image and caption
   * that came before; or with an image whose dHash is at most `nearBits` bits from an earlier one.
   */
  duplicates: z
    .strictObject({
      url: z.enum(['keep', 'reject']).default('keep'),
      content: z.enum(['keep', 'reject']).default('keep'),
      pair: z.enum(['keep', 'reject']).default('keep'),
      nearBits: z.int().min(0).max(16).optional(),
    })
    .prefault({}),
  /**
   * Take the sha256 of the whole of each local input when the run is planned; `auto`: of up to 64 GiB in
   * all. With it a changed file is told from a copied one.
   */
  hashInputs: z.enum(['auto', 'always', 'never']).default('auto'),
  /** Shards worked on at once, so that the teacher need not wait at a shard's end. */
  shardsInFlight: z.int().min(1).max(64).default(2),
  /** Rows of a shard whose images are asked for ahead of the teacher; what comes waits on disk. */
  fetchAhead: z.int().min(1).max(100_000).default(1000),
  /** Decoded images that wait for the teacher, per shard; bounds memory. */
  imagesAhead: z.int().min(1).max(4096).default(16),
  /** Threads that find phrases. */
  phraseThreads: z.int().min(1).max(256).default(1),
})

/** `run:` with its defaults filled in. */
export type RunOptions = z.output<typeof runOptionsSchema>

/** Keys of `run:` that do not change what a run writes. */
export const runVolatile: readonly string[] = [
  'hashInputs',
  'shardsInFlight',
  'fetchAhead',
  'imagesAhead',
  'phraseThreads',
]
