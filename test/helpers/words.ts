// Words of a caption with their classes, as the tagger gives them or as a test sets them.

import { Lexicon } from '../../src/nlp/lexicon.ts'
import { createTagger } from '../../src/nlp/tag.ts'
import { tokenize } from '../../src/nlp/tokenize.ts'
import type { Word } from '../../src/nlp/word.ts'

export const lexicon = new Lexicon()
const tagger = createTagger(lexicon)

export function wordsOf(caption: string): readonly Word[] {
  return tagger.tag(tokenize(caption))
}

/** Classes of the words in a row. */
export function tagsOf(caption: string): string {
  return wordsOf(caption)
    .map(({ tag }) => tag)
    .join('')
}

/** Texts of runs of words. */
export function textOf(
  words: readonly Word[],
  { first, last }: { readonly first: number; readonly last: number },
): string {
  return words
    .slice(first, last + 1)
    .map(({ text }) => text)
    .join(' ')
}
