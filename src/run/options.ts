// The `run:` section of the config.

import { z } from 'zod'

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
  /** Shards worked on at once, so that the teacher need not wait at a shard's end. */
  shardsInFlight: z.int().min(1).max(64).default(2),
  /** Decoded images that wait for the teacher, per shard; bounds memory. */
  imagesAhead: z.int().min(1).max(4096).default(16),
  /** Threads that find phrases. */
  phraseThreads: z.int().min(1).max(256).default(1),
})

export type RunOptions = z.output<typeof runOptionsSchema>

/** Keys of `run:` that do not change what a run writes. */
export const runVolatile: readonly string[] = ['shardsInFlight', 'imagesAhead', 'phraseThreads']
