// Captions with phrases that people marked, read in place where they are.

import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { CharSpan } from '../../src/core/types.ts'

/** Not part of the repository. */
const GOLD = process.env['GROUNDMILL_GOLD'] ?? ''

export interface GoldCaption {
  readonly id: string
  readonly caption: string
  readonly phrases: readonly (CharSpan & { readonly text: string })[]
}

export const hasGold = GOLD !== '' && existsSync(GOLD)

export function goldFile(name: string): string {
  return path.join(GOLD, name)
}

export function readGoldCaptions(name: string): readonly GoldCaption[] {
  return readFileSync(goldFile(`${name}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as GoldCaption)
}
