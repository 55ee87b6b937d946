// The extractor `ngrams`: OWL-ST asks for every run of words of the caption, without a parser
// (arXiv 2306.09683, appendix A.2). Runs overlap. A generic word ends a run: the paper takes such words
// out first, which would join words that are apart in the caption, and a span cannot do that.

import type { PhraseOptions } from './options.ts'
import { phraseOf, type FoundPhrase } from './reading.ts'
import { singular } from './lemma.ts'
import type { Word } from './word.ts'
import { GENERIC_WORDS } from './words/generic.ts'
import { STOP_WORDS } from './words/stop.ts'

/** @returns n-grams sorted by start, then by length; where there are too many, the shortest stay */
export function ngrams(
  words: readonly Word[],
  { ngrams: { min, max, maxQueries, stopwordsOnly }, genericWords }: PhraseOptions,
): readonly FoundPhrase[] {
  const isGeneric = words.map(
    ({ lower }) => genericWords === 'drop' && GENERIC_WORDS.has(singular(lower)),
  )
  const found: FoundPhrase[] = []
  const seen = new Set<string>()
  for (let length = min; length <= max && found.length < maxQueries; length++) {
    for (let first = 0; first + length <= words.length; first++) {
      if (found.length === maxQueries) break
      const run = words.slice(first, first + length)
      if (isGeneric.slice(first, first + length).includes(true)) continue
      if (stopwordsOnly === 'drop' && run.every(({ lower }) => STOP_WORDS.has(lower))) continue
      const text = run.map(({ lower }) => lower).join(' ')
      if (seen.has(text)) continue
      seen.add(text)
      const range = { first, last: first + length - 1 }
      found.push(phraseOf(words, { ...range, head: headOf(words, range) }))
    }
  }
  return found.sort((a, b) => a.first - b.first || a.last - b.last)
}

/** The last noun before a preposition, else the last word. */
export function headOf(
  words: readonly Word[],
  { first, last }: Pick<FoundPhrase, 'first' | 'last'>,
): number {
  let head = -1
  for (let at = first; at <= last; at++) {
    if ('NP'.includes(words[at]!.tag)) head = at
    else if (head >= 0 && 'ITVGW'.includes(words[at]!.tag)) break
  }
  return head >= 0 ? head : last
}
