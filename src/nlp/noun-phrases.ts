// The extractor `chunker`: words, classes, chunks, and "X of Y" joined where X names a group or a part.

import { chunk } from './chunk.ts'
import { splitKeywords } from './keywords.ts'
import { mergeOf } from './of-phrases.ts'
import { phraseOf, type FoundPhrase } from './reading.ts'
import type { Word } from './word.ts'

/**
 * Base noun phrases from left to right, without overlap.
 *
 * @param of whether "a group of people" is one phrase or two
 */
export function nounPhrases(words: readonly Word[], of: 'merge' | 'split'): readonly FoundPhrase[] {
  const chunks = splitKeywords(words, chunk(words))
  return (of === 'merge' ? mergeOf(words, chunks) : chunks).map((one) => phraseOf(words, one))
}
