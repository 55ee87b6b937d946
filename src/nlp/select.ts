// Which of the phrases that were found are asked for. Each step says what it dropped and why.

import { singular } from './lemma.ts'
import type { PhraseOptions } from './options.ts'
import { phraseOf, type FoundPhrase } from './reading.ts'
import type { Word } from './word.ts'
import { COLOURS } from './words/adjectives.ts'
import { ABSTRACT_WORDS, RELATIONAL_WORDS } from './words/abstract.ts'
import { GENERIC_WORDS } from './words/generic.ts'

/** Why a phrase that was found is not asked for. */
export type DropCause =
  'abstract' | 'relational' | 'generic' | 'attribute' | 'duplicate' | 'words' | 'count'

/** The phrases in their order, parted. */
export interface Selection {
  readonly kept: readonly FoundPhrase[]
  readonly dropped: readonly { readonly phrase: FoundPhrase; readonly cause: DropCause }[]
}

/** Steps on single phrases: heads, attributes, length. */
export function select(
  words: readonly Word[],
  phrases: readonly FoundPhrase[],
  options: PhraseOptions,
): Selection {
  const kept: FoundPhrase[] = []
  const dropped: { phrase: FoundPhrase; cause: DropCause }[] = []
  for (const phrase of phrases) {
    const cause = causeToDrop(words, phrase, options)
    if (cause === undefined) kept.push(stripped(words, phrase, options))
    else dropped.push({ phrase, cause })
  }
  return { kept, dropped }
}

/** Steps on all phrases of a caption together, after expansion: repeated texts, too many phrases. */
export function limit(
  caption: string,
  phrases: readonly FoundPhrase[],
  { duplicates, maxPhrases }: PhraseOptions,
): Selection {
  const seen = new Set<string>()
  const kept: FoundPhrase[] = []
  const dropped: { phrase: FoundPhrase; cause: DropCause }[] = []
  for (const phrase of phrases) {
    const text = caption.slice(phrase.start, phrase.end).toLowerCase()
    if (duplicates === 'first' && seen.has(text)) dropped.push({ phrase, cause: 'duplicate' })
    else if (kept.length === maxPhrases) dropped.push({ phrase, cause: 'count' })
    else kept.push(phrase)
    seen.add(text)
  }
  return { kept, dropped }
}

function causeToDrop(
  words: readonly Word[],
  { first, last, head }: FoundPhrase,
  options: PhraseOptions,
): DropCause | undefined {
  if (last - first + 1 > options.maxWords) return 'words'
  const lemma = singular(words[head]!.text)
  if (options.genericWords === 'drop' && GENERIC_WORDS.has(lemma)) return 'generic'
  if (options.abstract === 'drop') {
    if (ABSTRACT_WORDS.has(lemma)) return 'abstract'
    const isBare = words.slice(first, head).every(({ tag }) => tag === 'D')
    if (isBare && RELATIONAL_WORDS.has(lemma)) return 'relational'
    if (isBare && COLOURS.has(lemma) && first === last) return 'relational'
  }
  if (options.attributes === 'drop' && lastAttribute(words, first, last) >= 0) return 'attribute'
  return undefined
}

/** With `strip`, what follows the last adjective: "a big red car" -> "car", "two dogs" as it is. */
function stripped(
  words: readonly Word[],
  phrase: FoundPhrase,
  { attributes }: PhraseOptions,
): FoundPhrase {
  if (attributes !== 'strip') return phrase
  const at = lastAttribute(words, phrase.first, phrase.head)
  return at < 0 ? phrase : phraseOf(words, { ...phrase, first: at + 1 })
}

function lastAttribute(words: readonly Word[], first: number, last: number): number {
  for (let at = last; at >= first; at--) {
    if ('JM'.includes(words[at]!.tag)) return at
  }
  return -1
}
