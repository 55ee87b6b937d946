// Rows of a shard that say nothing new: refused by knob, the first one stays. What is kept is told
// apart across shards when exporting, by the hashes in the groundings.

import { createHash } from 'node:crypto'
import { SampleError } from '../core/errors.ts'
import type { GroundingRow, LoadedImage, SourceRow } from '../core/types.ts'
import { dhashDistance } from '../ingest/image/dhash.ts'
import type { RunOptions } from './options.ts'

export interface DuplicateFinder {
  /** To be called in row order. @returns duplicate_url or undefined */
  checkUrl(row: Pick<SourceRow, 'image'>): SampleError | undefined
  /** To be called in row order. @returns duplicate_content, duplicate_pair, duplicate_near or undefined */
  checkImage(caption: string, image: Pick<LoadedImage, 'sha256' | 'dhash'>): SampleError | undefined
}

/** @param kept rows that count as earlier ones */
export function createDuplicateFinder(
  options: RunOptions['duplicates'],
  kept: readonly GroundingRow[] = [],
): DuplicateFinder {
  const urls = new Set(kept.flatMap(({ url }) => url ?? []))
  const contents = new Set<string>()
  const pairs = new Set<string>()
  const hashes: string[] = []
  const remember = (caption: string, { sha256, dhash }: Pick<LoadedImage, 'sha256' | 'dhash'>) => {
    if (!contents.has(sha256)) hashes.push(dhash)
    contents.add(sha256)
    pairs.add(pairOf(sha256, caption))
  }
  for (const row of kept) remember(row.caption, row)

  const duplicateOf = (
    caption: string,
    { sha256, dhash }: Pick<LoadedImage, 'sha256' | 'dhash'>,
  ): SampleError | undefined => {
    if (options.content === 'reject' && contents.has(sha256)) {
      return new SampleError('duplicate_content', `an earlier row has the image ${sha256}`)
    }
    if (options.pair === 'reject' && pairs.has(pairOf(sha256, caption))) {
      return new SampleError('duplicate_pair', `an earlier row has the image ${sha256} and caption`)
    }
    const { nearBits } = options
    // The same image with another caption is the affair of the rules above.
    if (nearBits === undefined || contents.has(sha256)) return undefined
    const near = hashes.find((hash) => dhashDistance(hash, dhash) <= nearBits)
    if (near === undefined) return undefined
    const bits = dhashDistance(near, dhash)
    return new SampleError('duplicate_near', `dHash ${dhash} is ${bits} bits from ${near}`)
  }
  return {
    checkUrl: ({ image }) => {
      if (options.url === 'keep' || image.kind !== 'url') return undefined
      if (urls.has(image.url)) return new SampleError('duplicate_url', 'an earlier row has the URL')
      urls.add(image.url)
      return undefined
    },
    checkImage: (caption, image) => {
      const duplicate = duplicateOf(caption, image)
      if (duplicate === undefined) remember(caption, image)
      return duplicate
    },
  }
}

/**
 * Counts captions within one shard, so that a shard's rows do not depend on who labels the others; to be
 * asked in row order, for the first rows stay. Memory: one entry per distinct caption of the shard.
 *
 * @returns caption_repeated for a caption that came `maxRepeats` times before, else undefined
 */
export function createRepeatFinder(
  maxRepeats: number = Number.POSITIVE_INFINITY,
): (caption: string) => SampleError | undefined {
  const counts = new Map<string, number>()
  return (caption) => {
    const before = counts.get(caption) ?? 0
    if (before >= maxRepeats) {
      const detail = `${before} earlier rows of the shard have it; caption.maxRepeats is ${maxRepeats}`
      return new SampleError('caption_repeated', detail)
    }
    counts.set(caption, before + 1)
    return undefined
  }
}

function pairOf(sha256: string, caption: string): string {
  return createHash('sha256').update(sha256).update(caption).digest('base64')
}
