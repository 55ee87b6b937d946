// "X of Y". Annotators of box-grounded captions mark the whole where X is a group, a part or a
// container; elsewhere X and Y are two phrases ("the tail of a cat").

import type { Chunk } from './chunk.ts'
import { singular } from './lemma.ts'
import { GROUPS } from './words/of.ts'
import type { Word } from './word.ts'

/**
 * Joins "a group" and "people" to "a group of people".
 *
 * @param mode `split` leaves every chunk as it is
 */
export function mergeOf(
  words: readonly Word[],
  chunks: readonly Chunk[],
  mode: 'merge' | 'split',
): readonly Chunk[] {
  if (mode === 'split') return chunks
  const merged: Chunk[] = []
  for (const next of chunks) {
    const left = merged.at(-1)
    if (left === undefined || !isLinked(words, left, next)) {
      merged.push(next)
      continue
    }
    const lemma = singular(words[left.head]!.text)
    if (GROUPS.has(lemma))
      merged[merged.length - 1] = { first: left.first, last: next.last, head: next.head }
    else merged.push(next)
  }
  return merged
}

function isLinked(words: readonly Word[], left: Chunk, right: Chunk): boolean {
  const of = words[left.last + 1]
  return (
    right.first === left.last + 2 &&
    of?.lower === 'of' &&
    of.gap === 'space' &&
    words[right.first]!.gap !== 'break'
  )
}
