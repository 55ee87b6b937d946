// A cleaned caption as the extractors see it: its words with their classes, and phrases as runs of words.

import type { CharSpan } from '../core/types.ts'
import type { Word } from './word.ts'

/** A run of words [first, last]; spans follow from it. */
export interface FoundPhrase extends CharSpan {
  readonly first: number
  readonly last: number
  /** Index of the head noun's word. */
  readonly head: number
}

/** What an extractor is given. */
export interface Reading {
  /** The cleaned caption: what is stored and what spans index. */
  readonly caption: string
  readonly words: readonly Word[]
  /** Spans of the dataset, mapped to the cleaned caption; undefined where the row has none. */
  readonly supplied?: readonly CharSpan[]
}

/** Words [first, last] as a phrase. */
export function phraseOf(
  words: readonly Word[],
  { first, last, head }: Pick<FoundPhrase, 'first' | 'last' | 'head'>,
): FoundPhrase {
  return { start: words[first]!.start, end: words[last]!.end, first, last, head }
}
