// The default extractor: words, classes, chunks, and "X of Y" joined where X names a group or a part.

import type { CharSpan } from '../core/types.ts'
import { chunk, type Chunk } from './chunk.ts'
import { Lexicon } from './lexicon.ts'
import { createTagger, type Word } from './tag.ts'
import { tokenize } from './tokenize.ts'
import { mergeOf } from './of-phrases.ts'

/** What was found in a text, with all that led there. */
export interface Analysis {
  readonly words: readonly Word[]
  /** Before "of" is looked at. */
  readonly chunks: readonly Chunk[]
}

export type Analyse = (text: string) => Analysis

/**
 * Loads the lexicon; takes some 100 ms.
 *
 * @param without names of rules that are not applied, for ablations
 */
export function createAnalyser(without: ReadonlySet<string> = new Set()): Analyse {
  const tagger = createTagger(new Lexicon(), without)
  return (text) => {
    const words = tagger.tag(tokenize(text))
    return { words, chunks: chunk(words) }
  }
}

export interface FoundPhrase extends CharSpan {
  /** Index of the head's word in the analysis. */
  readonly head: number
  readonly first: number
  readonly last: number
}

/** The chunks as spans. */
export function phrasesOf(analysis: Analysis, of: 'merge' | 'split'): readonly FoundPhrase[] {
  const { words, chunks } = analysis
  return mergeOf(words, chunks, of).map(({ first, last, head }) => ({
    start: words[first]!.start,
    end: words[last]!.end,
    head,
    first,
    last,
  }))
}
