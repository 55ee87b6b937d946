// Phrases to referring expressions, as GRIT does with a dependency tree (arXiv 2306.14824, section 2.1):
// "a dog" to "a dog in a field of flowers". Without a parser, what can be reached is what follows the
// phrase with no finite verb and no conjunction in between: prepositional phrases, participles with what
// they govern, relative clauses. Phrases with conjuncts stay as they are; those inside a longer
// expression go.

import { phraseOf, type FoundPhrase } from './reading.ts'
import type { Word } from './word.ts'
import { setOf } from './words/list.ts'
import { IRREGULAR_PASTS } from './words/verbs.ts'

const MOTION = setOf('into to towards toward down up across through along around past onto off')

/** @param phrases sorted by start, without overlap */
export function expandPhrases(
  words: readonly Word[],
  phrases: readonly FoundPhrase[],
): readonly FoundPhrase[] {
  const byFirst = new Map(phrases.map((phrase) => [phrase.first, phrase]))
  const lasts = new Set(phrases.map(({ last }) => last))
  /** "a man and a woman": joined to a neighbour by "and", "or" or a comma. */
  const hasConjunct = ({ first, last }: FoundPhrase) => {
    const after = words[last + 1]
    return (
      (after?.tag === 'C' && byFirst.has(last + 2)) ||
      (after?.gap === 'comma' && byFirst.has(last + 1)) ||
      (words[first - 1]?.tag === 'C' && lasts.has(first - 2)) ||
      (words[first]!.gap === 'comma' && lasts.has(first - 1))
    )
  }
  const expanded: FoundPhrase[] = []
  let reached = -1
  for (const phrase of phrases) {
    const last = hasConjunct(phrase) ? phrase.last : endOfExpression(words, phrase.last, byFirst)
    if (last <= reached) continue
    reached = last
    expanded.push(phraseOf(words, { ...phrase, last }))
  }
  return expanded
}

/**
 * Index of the last word of the expression whose phrase ends at `last`: a phrase, or a participle with
 * nothing after it. "a dog in" is none.
 */
function endOfExpression(
  words: readonly Word[],
  last: number,
  byFirst: ReadonlyMap<number, FoundPhrase>,
): number {
  let end = last
  let isLinked = false
  let clause: 'none' | 'opened' | 'with verb' = 'none'
  for (let at = last + 1; at < words.length && words[at]!.gap === 'space';) {
    const phrase = byFirst.get(at)
    if (phrase !== undefined) {
      // A phrase that nothing links is the next subject or an apposition.
      if (!isLinked) break
      end = phrase.last
      isLinked = false
      if (clause === 'with verb') clause = 'none'
      at = phrase.last + 1
      continue
    }
    const { tag } = words[at]!
    if (tag === 'W') clause = 'opened'
    else if (
      tag === 'V' ||
      tag === 'A' ||
      (tag === 'E' && (clause !== 'none' || isFinite(words, at)))
    ) {
      if (clause === 'none') break
      clause = 'with verb'
      end = at
    } else if (tag === 'G' || tag === 'E' || (tag === 'J' && words[at - 1]!.tag === 'E')) end = at
    else if (tag !== 'I' && tag !== 'T' && tag !== 'R') break
    if (tag !== 'R') isLinked = true
    at++
  }
  return end
}

/** "A man walked down a road" has its verb there, "a house painted white" a participle. */
function isFinite(words: readonly Word[], at: number): boolean {
  const next = words[at + 1]
  if (IRREGULAR_PASTS.has(words[at]!.lower)) return true
  return next !== undefined && ('D#NPSO'.includes(next.tag) || MOTION.has(next.lower))
}
