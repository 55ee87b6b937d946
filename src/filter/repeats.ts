// Samples that repeat another one of the run, or an image that must not be exported.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { ConfigError, messageOf } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import { DigestCounter } from './digest-counter.ts'
import type { SampleDrop } from './filter.ts'
import { NearHashes } from './near-hashes.ts'
import type { FilterOptions } from './options.ts'

/** Remembers what it is asked about: the first of its kind stays. */
export type RepeatFinder = (row: GroundingRow) => SampleDrop | undefined

/**
 * Memory: at most 35 bytes per kept sample for `dedup`; some 300 bytes per kept image for
 * `nearDuplicateBits`.
 */
export function createRepeatFinder({ dedup, nearDuplicateBits }: FilterOptions): RepeatFinder {
  const seen = new DigestCounter()
  const near = nearDuplicateBits === undefined ? undefined : new NearHashes(nearDuplicateBits)
  return (row) => {
    if (dedup === 'pair' && seen.add(digestOf(`${row.sha256}\n${row.caption}`)) > 1) {
      return 'duplicate_pair'
    }
    if (dedup === 'image' && seen.add(digestOf(row.sha256)) > 1) return 'duplicate_image'
    // The same image with another caption is `dedup`'s affair.
    if (near?.has(row.dhash, row.sha256) === true) return 'near_duplicate'
    near?.add(row.dhash, row.sha256)
    return undefined
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

export type RowGate = (row: GroundingRow) => SampleDrop | undefined

/**
 * Counts every caption of the run. Memory: at most 35 bytes per distinct caption.
 *
 * @returns finds rows whose caption is in more than `limit` rows
 */
export async function surveyCaptions(
  rows: AsyncIterable<GroundingRow>,
  limit: number,
): Promise<RowGate> {
  const counter = new DigestCounter()
  for await (const { caption } of rows) counter.add(digestOf(caption))
  return ({ caption }) =>
    counter.count(digestOf(caption)) > limit ? 'repeated_caption' : undefined
}

/**
 * Reads a list of images by sha256 (64 hex digits) or dHash (16), one per line; "#" begins a comment.
 *
 * @param bits by which a dHash may differ
 * @throws ConfigError naming the file, and the line that is neither
 */
export async function readBlockedImages(file: string, bits: number): Promise<RowGate> {
  let text: string
  try {
    text = await fs.readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`filter.blockedImages: ${file}: ${messageOf(error)}`, { cause: error })
  }
  const images = new Set<string>()
  const near = new NearHashes(bits)
  for (const [index, line] of text.split('\n').entries()) {
    const hash = line.replace(/#.*/, '').trim().toLowerCase()
    if (hash === '') continue
    if (/^[0-9a-f]{64}$/.test(hash)) images.add(hash)
    else if (/^[0-9a-f]{16}$/.test(hash)) near.add(hash)
    else {
      throw new ConfigError(
        `filter.blockedImages: ${file}, line ${index + 1}: "${hash.slice(0, 80)}" is neither a sha256 ` +
          '(64 hex digits) nor a dHash (16 hex digits)',
      )
    }
  }
  return ({ sha256, dhash }) =>
    images.has(sha256) || near.has(dhash) ? 'blocked_image' : undefined
}
