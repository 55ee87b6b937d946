// What the rules ask of a word's surroundings. Words to the left are decided, words to the right are
// known by their lexical class only.

import { MAY, type Tag } from './lexicon.ts'
import type { Word } from './word.ts'
import { CLAUSE_OPENERS } from './words/closed.ts'
import { GROUPS } from './words/of.ts'
import { setOf } from './words/list.ts'

const NOMINAL = MAY.noun | MAY.plural | MAY.name
/** Before a noun of whatever form, "two woman": more than one. */
const MANY = setOf(`
  two three four five six seven eight nine ten eleven twelve several many few both these those`)
/** Plurals without -s, and nouns that take either number. */
const PLURALS = setOf(`
  people men women children police kids sheep deer fish cattle family crew staff audience policemen
  policewomen firemen workmen passersby feet geese mice fishermen businessmen gentlemen ladies`)

/** Class of the word before, '' where a break or comma stands between. */
export function tagBefore(words: readonly Word[], i: number): Tag | '' {
  if (i <= 0 || separates(words[i]!)) return ''
  return words[i - 1]!.tag
}

/** Lexical class of the word after, '' where a break or comma stands between. */
export function tagAfter(words: readonly Word[], i: number): Tag | '' {
  const next = words[i + 1]
  return next === undefined || separates(next) ? '' : next.tag
}

/** Whether the lexicon allows the word to be a noun. */
export function isNominal(word: Word): boolean {
  return ((word.may & NOMINAL) !== 0 && word.tag !== 'G') || 'NPS'.includes(word.tag)
}

/** Whether a noun follows with nothing but describing words between. */
export function isBeforeNoun(words: readonly Word[], i: number): boolean {
  for (let at = i + 1; at < words.length; at++) {
    const word = words[at]!
    const isAfterComma = word.gap === 'comma'
    if (
      isAfterComma
        ? !'JC'.includes(word.tag) || (at - 1 > i && words[at - 1]!.tag !== 'J')
        : word.gap !== 'space'
    )
      return false
    if (word.tag === 'C') {
      if (!'J#'.includes(words[at + 1]?.tag ?? 'X') || words[at + 1]!.gap !== 'space') return false
      continue
    }
    if ((isNominal(word) && !isAfterComma) || word.lower === 'one' || word.lower === 'ones')
      return true
    if (!'J#EG'.includes(word.tag)) return false
  }
  return false
}

/** First word of the noun phrase that ends before i; i itself if there is none. */
export function phraseStart(words: readonly Word[], i: number): number {
  let start = i
  while (start > 0 && !(start < i && separates(words[start]!))) {
    const left = words[start - 1]!
    if (!'DJNPS#M'.includes(left.tag)) break
    start--
    if (left.tag === 'D') break
  }
  return start
}

/** Which forms of a verb the subject to its left agrees with. */
export interface SubjectNumber {
  readonly mayBePlural: boolean
  readonly maySingular: boolean
  /** The subject is the phrase right before the word. */
  readonly isNearest: boolean
  readonly isDetermined: boolean
  /** The word right before is a plural. */
  readonly isNearestPlural: boolean
}

/**
 * Number of the phrase that a verb at i would have as its subject: the nearest one to the left that
 * no preposition or participle governs.
 */
export function subjectNumber(words: readonly Word[], i: number): SubjectNumber {
  let end = i
  const isNearestPlural = i > 0 && isPluralNoun(words[i - 1]!)
  const either = { mayBePlural: true, maySingular: true, isDetermined: false, isNearestPlural }
  for (let steps = 0; steps < 6; steps++) {
    const start = phraseStart(words, end)
    const isNearest = end === i
    const governor = start > 0 && !separates(words[start]!) ? words[start - 1]! : undefined
    if (
      start < end &&
      !isGovernedConjunct(words, start) &&
      (governor === undefined ||
        !'IGE'.includes(governor.tag) ||
        CLAUSE_OPENERS.has(governor.lower))
    ) {
      const isDetermined = 'D#'.includes(words[start]!.tag)
      return { ...numberOf(words, start, end), isNearest, isDetermined, isNearestPlural }
    }
    // "a group of boys post letters": the boys do it, or the group does.
    const isGroup = start < end && isNearest && isNearestPlural && isGroupOf(words, start)
    if (isGroup) return { ...either, isNearest }
    // Left of the preposition or participle, and of what else stands before it.
    end = start - 1
    while (end > 0 && !'NP'.includes(words[end - 1]!.tag) && words[end]?.gap !== 'break') end--
    if (end <= 0) break
  }
  return { ...either, isNearest: false }
}

/** Whether a phrase that starts at `start` follows "group of". */
function isGroupOf(words: readonly Word[], start: number): boolean {
  return words[start - 1]?.lower === 'of' && GROUPS.has(words[start - 2]?.lower ?? '')
}

/** "in a jersey and skates": the preposition or participle governs what "and" adds too. */
function isGovernedConjunct(words: readonly Word[], start: number): boolean {
  if (start < 2 || 'D#'.includes(words[start]!.tag) || words[start - 1]!.tag !== 'C') return false
  const left = phraseStart(words, start - 1)
  const governor = words[left - 1]
  return (
    left < start - 1 &&
    governor !== undefined &&
    'IG'.includes(governor.tag) &&
    !CLAUSE_OPENERS.has(governor.lower) &&
    governor.lower !== 'of'
  )
}

function numberOf(words: readonly Word[], start: number, end: number) {
  const head = words[end - 1]!
  const first = words[start]!.lower
  const isSingular = /^(?:a|an|one|another|each|every|this)$/.test(first)
  const isGroup = GROUPS.has(head.lower)
  const isJoined =
    start > 1 && words[start - 1]!.tag === 'C' && 'NP'.includes(words[start - 2]!.tag)
  const isPlural = MANY.has(first) || (isPluralNoun(head) && !isSingular)
  return { mayBePlural: isPlural || isGroup || isJoined, maySingular: !isPlural }
}

function isPluralNoun({ may, lower }: Word): boolean {
  return (may & MAY.plural) !== 0 || PLURALS.has(lower) || /[^sui]s$/.test(lower)
}

/** Whether the clause to the left already has its finite verb. */
export function clauseHasVerb(words: readonly Word[], i: number): boolean {
  for (let at = i - 1; at >= 0; at--) {
    const { tag, lower, gap } = words[at]!
    if (tag === 'V' || tag === 'A') return true
    if (tag === 'K' || tag === 'W' || CLAUSE_OPENERS.has(lower) || gap === 'break') return false
  }
  return false
}

function separates(word: Word): boolean {
  return word.gap !== 'space'
}
