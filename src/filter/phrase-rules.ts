// What the filter knows of a phrase beyond its boxes: its name, its type, the score it needs.

import type { GroundingRow, Phrase } from '../core/types.ts'
import type { FilterOptions } from './options.ts'

/** The name by which a phrase is known in options and categories: lower case with single spaces. */
export function normalName(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim()
}

/** Least score of a phrase, given the one that holds for all. */
export type LeastScore = (phrase: Phrase, score: number) => number

/** What stands around a phrase's head noun. */
export type PhraseType = keyof FilterOptions['perTypeScore']

/** Words before a head that say which or how many, not what it is like. */
const DETERMINERS = new Set(
  (
    'a an the this that these those my your his her its our their some any each every all both no ' +
    'another other several many few one two three four five six seven eight nine ten eleven twelve'
  ).split(' '),
)

/** By what stands around the head noun; a compound's first noun counts as a modifier. */
export function phraseType(phrase: Phrase): PhraseType {
  const words = normalName(phrase.text).split(' ')
  const head = phrase.head.toLowerCase()
  const at = words.findIndex(
    (word) => word === head || word.replace(/[^\p{L}\p{N}]+$/u, '') === head,
  )
  if (at === -1) return words.length === 1 ? 'bare' : 'modified'
  if (at < words.length - 1) return 'expression'
  const isBare = words.slice(0, at).every((word) => DETERMINERS.has(word) || /^\d+$/.test(word))
  return isBare ? 'bare' : 'modified'
}

/** Scores by phrase, lemma or type in place of the common one. */
export function leastScoreOf({ perPhraseScore, perTypeScore }: FilterOptions): LeastScore {
  const scores = new Map(
    Object.entries(perPhraseScore).map(([text, score]) => [normalName(text), score]),
  )
  const hasTypes = Object.values(perTypeScore).some((one) => one !== undefined)
  if (scores.size === 0 && !hasTypes) return (_phrase, score) => score
  return (phrase, score) =>
    scores.get(normalName(phrase.text)) ??
    scores.get(phrase.lemma) ??
    (hasTypes ? perTypeScore[phraseType(phrase)] : undefined) ??
    score
}

/** @returns the row with the scores that the filter goes by */
export function scoreScaling({ scale }: FilterOptions): (row: GroundingRow) => GroundingRow {
  if (scale.length === 0) return (row) => row
  const factors = new Map<string, number>()
  for (const { phrases, factor } of scale) {
    for (const name of phrases.map(normalName)) {
      if (!factors.has(name)) factors.set(name, factor)
    }
  }
  return (row) => {
    const byPhrase = row.phrases.map(
      (phrase) => factors.get(normalName(phrase.text)) ?? factors.get(phrase.lemma) ?? 1,
    )
    const candidates = row.candidates.map((one) => ({
      ...one,
      score: Math.fround(one.score * (byPhrase[one.phrase] ?? 1)),
    }))
    return { ...row, candidates }
  }
}

/** Whether a phrase may have regions. */
export function phraseAdmission({
  onlyPhrases,
  blockPhrases,
}: Pick<FilterOptions, 'onlyPhrases' | 'blockPhrases'>): (phrase: Phrase) => boolean {
  const namesOf = (list: readonly string[]) => new Set(list.map(normalName))
  const only = onlyPhrases === undefined ? undefined : namesOf(onlyPhrases)
  const blocked = namesOf(blockPhrases)
  return (phrase) => {
    const name = normalName(phrase.text)
    const isIn = (names: ReadonlySet<string>) => names.has(name) || names.has(phrase.lemma)
    return !isIn(blocked) && (only === undefined || isIn(only))
  }
}

/** Keys of phrases that lie inside another one. */
export function nestedPhrases(
  phrases: ReadonlyMap<number, Phrase>,
  by: 'span' | 'text',
): Set<number> {
  const all = [...phrases].map(([index, { start, end, text }]) => {
    return { index, start, end, name: normalName(text) }
  })
  const isInside = (a: (typeof all)[number], b: (typeof all)[number]) =>
    (b.start <= a.start && a.end <= b.end && b.end - b.start > a.end - a.start) ||
    (by === 'text' && b.name.length > a.name.length && b.name.includes(a.name))
  return new Set(
    all.filter((one) => all.some((other) => isInside(one, other))).map(({ index }) => index),
  )
}
