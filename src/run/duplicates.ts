// Rows of a shard that say nothing new: refused by knob, the first one stays. What is kept is told
// apart across shards when exporting, by the hashes in the groundings.

import { dhashDistance } from '../core/dhash-distance.ts'
import { SampleError } from '../core/errors.ts'
import type { GroundingRow, LoadedImage, SourceRow } from '../core/types.ts'
import { DigestCounter } from '../filter/digest-counter.ts'
import { createNearFinder, pairOf } from '../filter/repeats.ts'
import type { RunOptions } from './options.ts'

type Hashes = Pick<LoadedImage, 'sha256' | 'dhash'>

/** Tells rows of one shard that repeat an earlier one. */
export interface DuplicateFinder {
  /** To be called in row order. @returns duplicate_url or undefined */
  checkUrl(row: Pick<SourceRow, 'image'>): SampleError | undefined
  /** To be called in row order. @returns duplicate_content, duplicate_pair, duplicate_near or undefined */
  checkImage(caption: string, image: Hashes): SampleError | undefined
}

/**
 * Remembers what the options ask about, of rows that it let pass.
 *
 * @param kept rows that count as earlier ones
 */
export function createDuplicateFinder(
  { url, content, pair, nearBits }: RunOptions['duplicates'],
  kept: readonly GroundingRow[] = [],
): DuplicateFinder {
  const urls = new Set(kept.flatMap((row) => row.url ?? []))
  const images = content === 'reject' ? new DigestCounter() : undefined
  const pairs = pair === 'reject' ? new DigestCounter() : undefined
  const findNear = nearBits === undefined ? undefined : createNearFinder(nearBits)
  const remember = (caption: string, image: Hashes) => {
    images?.add(image.sha256)
    pairs?.add(pairOf(image.sha256, caption))
  }
  for (const row of kept) {
    remember(row.caption, row)
    findNear?.(row)
  }

  const duplicateOf = (caption: string, image: Hashes): SampleError | undefined => {
    const { sha256, dhash } = image
    if (images !== undefined && images.count(sha256) > 0) {
      return new SampleError('duplicate_content', `an earlier row has the image ${sha256}`)
    }
    if (pairs !== undefined && pairs.count(pairOf(sha256, caption)) > 0) {
      return new SampleError('duplicate_pair', `an earlier row has the image ${sha256} and caption`)
    }
    const other = findNear?.(image)
    if (other === undefined) return undefined
    const bits = dhashDistance(other, dhash)
    return new SampleError('duplicate_near', `dHash ${dhash} is ${bits} bits from ${other}`)
  }
  return {
    checkUrl: ({ image }) => {
      if (url === 'keep' || image.kind !== 'url') return undefined
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
export function createCaptionLimit(
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
