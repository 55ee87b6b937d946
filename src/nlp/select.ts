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
  readonly dropped: readonly Dropped[]
}

interface Dropped {
  readonly phrase: FoundPhrase
  readonly cause: DropCause
}

/** Steps on single phrases: heads, attributes, length. */
export function createSelect({ maxWords, attributes, ...options }: PhraseOptions) {
  const causeToDrop = (words: readonly Word[], phrase: FoundPhrase): DropCause | undefined => {
    const { first, last, head } = phrase
    if (last - first + 1 > maxWords) return 'words'
    const lemma = singular(words[head]!.text)
    if (options.genericWords === 'drop' && GENERIC_WORDS.has(lemma)) return 'generic'
    if (options.abstract === 'drop') {
      if (ABSTRACT_WORDS.has(lemma)) return 'abstract'
      const isBare = words.slice(first, head).every(({ tag }) => tag === 'D')
      if (isBare && RELATIONAL_WORDS.has(lemma)) return 'relational'
      if (isBare && COLOURS.has(lemma) && first === last) return 'relational'
    }
    const hasAttribute = attributes === 'drop' && words.slice(first, last + 1).some(isAttribute)
    return hasAttribute ? 'attribute' : undefined
  }
  return (words: readonly Word[], phrases: readonly FoundPhrase[]): Selection => {
    const kept: FoundPhrase[] = []
    const dropped: Dropped[] = []
    for (const phrase of phrases) {
      const cause = causeToDrop(words, phrase)
      if (cause !== undefined) dropped.push({ phrase, cause })
      else kept.push(attributes === 'strip' ? stripped(words, phrase) : phrase)
    }
    return { kept, dropped }
  }
}

/** Steps on all phrases of a caption together, after expansion: repeated texts, too many phrases. */
export function createLimit({ duplicates, maxPhrases }: PhraseOptions) {
  return (caption: string, phrases: readonly FoundPhrase[]): Selection => {
    const seen = new Set<string>()
    const kept: FoundPhrase[] = []
    const dropped: Dropped[] = []
    for (const phrase of phrases) {
      const text = caption.slice(phrase.start, phrase.end).toLowerCase()
      if (duplicates === 'first' && seen.has(text)) dropped.push({ phrase, cause: 'duplicate' })
      else if (kept.length === maxPhrases) dropped.push({ phrase, cause: 'count' })
      else kept.push(phrase)
      seen.add(text)
    }
    return { kept, dropped }
  }
}

/** What follows the last adjective: "a big red car" -> "car", "two dogs" as it is. */
function stripped(words: readonly Word[], phrase: FoundPhrase): FoundPhrase {
  const last = words.slice(phrase.first, phrase.head).findLastIndex(isAttribute)
  return phraseOf(words, { ...phrase, first: phrase.first + last + 1 })
}

function isAttribute({ tag }: Word): boolean {
  return tag === 'J' || tag === 'M'
}
