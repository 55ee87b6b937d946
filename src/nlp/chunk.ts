// Classes of words to base noun phrases: determiner, possessive, numbers, adjectives, noun modifiers,
// head. Coordinated adjectives stay in ("a black and white dog"), coordinated nouns are two phrases.

import { MAY } from './lexicon.ts'
import type { Word } from './word.ts'
import { setOf } from './words/list.ts'

/** Words [first, last] of a caption; `head` is the index of the head noun. */
export interface Chunk {
  readonly first: number
  readonly last: number
  readonly head: number
}

const PREDETERMINERS = setOf('all both half such what any')
const NUMBERED = setOf(`
  number no. no page size route bus flight channel highway exit chapter figure gate platform track
  type unit version vol volume class day grade level model part phase room stage step terminal`)

/** After a noun, an adverb: "a red car today", "a match thursday". */
const TIMES = setOf(`
  today tonight tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday`)

/** @returns chunks from left to right, without overlap */
export function chunk(words: readonly Word[]): readonly Chunk[] {
  const chunks: Chunk[] = []
  for (let at = 0; at < words.length;) {
    const found = readChunk(words, at)
    if (found !== undefined) chunks.push(found)
    at = (found?.last ?? at) + 1
  }
  return chunks
}

function readChunk(words: readonly Word[], first: number): Chunk | undefined {
  let at = skipEstimate(words, first)
  if (words[at]!.tag === 'D') at++
  const isSecond = at === first + 1 && words[at]?.tag === 'D' && joins(words, at)
  if (isSecond && PREDETERMINERS.has(words[first]!.lower)) at++
  const nounFrom = readModifiers(words, at, at > first)
  if (nounFrom === undefined) return undefined
  let head = -1
  for (at = nounFrom; at < words.length; at++) {
    const { tag } = words[at]!
    const isInner = 'J#'.includes(tag) && at > nounFrom
    if (at > first && !joins(words, at)) break
    if (head >= 0 && TIMES.has(words[at]!.lower)) break
    if (head >= 0 && words[first]!.tag === 'D' && isApposition(words, at)) break
    if (tag === 'N' || tag === 'P') head = at
    else if (tag === 'S' || tag === 'M') continue
    else if (tag === '#' && isNumbered(words, at)) head = at
    else if (tag === '#' && startsAnew(words, at)) break
    else if (isInner && readModifiers(words, at, true) !== undefined) continue
    else break // "man's red hat" goes on above: modifiers may begin anew if a noun follows
  }
  if (head < 0) return undefined
  return { first, last: head, head: words[head]!.tag === '#' && head > 0 ? head - 1 : head }
}

/** "about 200 people", "more than 60 countries": the words before the number belong to it. */
function skipEstimate(words: readonly Word[], first: number): number {
  const word = words[first]!
  const isBeforeNumber = (at: number) => words[at]?.tag === '#' && joins(words, at)
  if (/^(?:about|approximately|nearly|almost|over|around|only|just)$/.test(word.lower)) {
    const isEstimate =
      isBeforeNumber(first + 1) &&
      (/^(?:about|approximately|nearly|almost|only)$/.test(word.lower) ||
        /\d{3}/.test(words[first + 1]!.lower))
    return isEstimate ? first + 1 : first
  }
  const isComparison =
    /^(?:more|less|fewer)$/.test(word.lower) && words[first + 1]?.lower === 'than'
  return isComparison && isBeforeNumber(first + 2) ? first + 2 : first
}

/** "his wife Jan": after a determiner, a name after a common noun is a phrase of its own. */
function isApposition(words: readonly Word[], at: number): boolean {
  const left = words[at - 1]!
  if (words[at]!.tag !== 'P' || left.tag !== 'N' || !/^\p{Ll}/u.test(left.text)) return false
  let end = at
  while (words[end]?.tag === 'P' && (end === at || joins(words, end))) end++
  const next = words[end]
  return next === undefined || !joins(words, end) || !'NSJ#'.includes(next.tag)
}

/**
 * Reads numbers, adjectives and what joins them.
 *
 * @returns where the nouns begin, undefined if none does
 */
function readModifiers(
  words: readonly Word[],
  from: number,
  isInside: boolean,
): number | undefined {
  for (let at = from; at < words.length; at++) {
    const word = words[at]!
    const isFirst = at === from && !isInside
    switch (word.tag) {
      case 'N':
      case 'P':
      case 'S':
        // "small, dog" are two things; "small, brown dog" goes on below.
        return isFirst || joins(words, at) ? at : undefined
      case 'J':
      case '#':
        if (isFirst || joins(words, at)) break
        if (word.gap === 'comma' && word.tag === 'J' && at > from && words[at - 1]!.tag === 'J')
          break
        return undefined
      case 'R':
        if ((isFirst || joins(words, at)) && isModifier(words[at + 1])) break
        return undefined
      case 'C':
        if (at > from && isCoordination(words, at)) break
        return undefined
      default:
        return undefined
    }
  }
  return undefined
}

function isModifier(word: Word | undefined): boolean {
  return word !== undefined && word.gap === 'space' && (word.tag === 'J' || word.tag === '#')
}

/** "black and white": an adjective on both sides; before "and" a comma may stand. */
function isCoordination(words: readonly Word[], at: number): boolean {
  const { gap } = words[at]!
  const next = words[at + 1]
  if (gap === 'break' || next === undefined) return false
  return 'J#'.includes(words[at - 1]!.tag) && next.gap === 'space' && 'JR#'.includes(next.tag)
}

function joins(words: readonly Word[], at: number): boolean {
  return words[at]!.gap === 'space'
}

/** "elephants, 1 running" without its comma, "a battery last week": the number begins another phrase. */
function startsAnew(words: readonly Word[], at: number): boolean {
  const left = words[at - 1]!
  if ((left.may & MAY.plural) !== 0 || /^(?:last|next)$/.test(words[at]!.lower)) return true
  const isCounted = ((words[at + 1]?.may ?? 0) & MAY.plural) !== 0 && words[at]!.lower !== '1'
  return isCounted && left.tag === 'N' && !NUMBERED.has(left.lower)
}

function isNumbered(words: readonly Word[], at: number): boolean {
  const left = words[at - 1]!
  return (
    /^\d/.test(words[at]!.lower) &&
    (NUMBERED.has(left.lower) || (left.tag === 'P' && /^\p{Lu}\p{Ll}/u.test(left.text)))
  )
}
