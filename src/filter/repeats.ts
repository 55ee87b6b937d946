// Samples that repeat another one of the run, or an image that must not be exported.

import fs from 'node:fs/promises'
import { ConfigError, messageOf } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import { DigestCounter } from './digest-counter.ts'
import type { SampleDrop } from './filter.ts'
import { NearHashes } from './near-hashes.ts'
import type { FilterOptions } from './options.ts'

/** What stands for an image with its caption where pairs are counted. */
export function pairOf(sha256: string, caption: string): string {
  return `${sha256}\n${caption}`
}

/**
 * Tells images that look like an earlier one, and remembers the others. The same bytes again are no
 * near-duplicate: whether they may come is for other rules. Memory: some 300 bytes per image that looks like no other.
 *
 * @param bits by which dHashes may differ
 * @returns gives the dHash of the first image that looks like this one, or undefined
 */
export function createNearFinder(
  bits: number,
): (image: Pick<GroundingRow, 'sha256' | 'dhash'>) => string | undefined {
  const hashes = new NearHashes(bits)
  return ({ sha256, dhash }) => {
    const first = hashes.find(dhash)
    if (first === undefined) hashes.add(dhash, sha256)
    return first?.image === sha256 ? undefined : first?.dhash
  }
}

/** Remembers what it is asked about: the first of its kind stays. */
export type RepeatFinder = (row: GroundingRow) => SampleDrop | undefined

/** Memory: at most 35 bytes per sample for `dedup`, and what createNearFinder needs. */
export function createRepeatFinder({ dedup, nearDuplicateBits }: FilterOptions): RepeatFinder {
  const seen = new DigestCounter()
  const findNear = nearDuplicateBits === undefined ? undefined : createNearFinder(nearDuplicateBits)
  return (row) => {
    if (dedup === 'pair' && seen.add(pairOf(row.sha256, row.caption)) > 1) return 'duplicate_pair'
    if (dedup === 'image' && seen.add(row.sha256) > 1) return 'duplicate_image'
    return findNear?.(row) === undefined ? undefined : 'near_duplicate'
  }
}

/** Why a row goes whatever its boxes are; undefined if it stays. */
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
  for await (const { caption } of rows) counter.add(caption)
  return ({ caption }) => (counter.count(caption) > limit ? 'repeated_caption' : undefined)
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
    images.has(sha256) || near.find(dhash) !== undefined ? 'blocked_image' : undefined
}
