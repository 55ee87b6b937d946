// "X of Y". Annotators of box-grounded captions mark the whole where X is a group, a part or a
// container; elsewhere X and Y are two phrases ("the tail of a cat").

import type { Chunk } from './chunk.ts'
import { singular } from './lemma.ts'
import { GROUPS } from './words/of.ts'
import type { Word } from './word.ts'

/** Joins "a group" and "people" to "a group of people". */
export function mergeOf(words: readonly Word[], chunks: readonly Chunk[]): readonly Chunk[] {
  const merged: Chunk[] = []
  for (const next of chunks) {
    const left = merged.at(-1)
    const of = left && words[left.last + 1]
    const isLinked =
      left !== undefined &&
      next.first === left.last + 2 &&
      of?.lower === 'of' &&
      of.gap === 'space' &&
      words[next.first]!.gap !== 'break'
    if (isLinked && GROUPS.has(singular(words[left.head]!.text)))
      merged[merged.length - 1] = { ...next, first: left.first }
    else merged.push(next)
  }
  return merged
}
