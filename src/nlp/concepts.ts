// How often each phrase and each head is asked for: which concepts a dataset has, and how long its tail
// is.

import type { Phrase } from '../core/types.ts'

/** How often each concept comes. */
export interface ConceptCounts {
  /** Phrases by text, in lower case without leading determiners. */
  readonly phrases: ReadonlyMap<string, number>
  /** Phrases by head lemma. */
  readonly heads: ReadonlyMap<string, number>
}

/** The counts in figures that fit a report. */
export interface ConceptSummary {
  /** Phrases in all. */
  readonly total: number
  /** Different ones. */
  readonly distinctPhrases: number
  readonly distinctHeads: number
  /** Phrases and heads that come once. */
  readonly singlePhrases: number
  readonly singleHeads: number
  /** The fewest heads that make up half of all phrases, and nine in ten. */
  readonly headsOfHalf: number
  readonly headsOfNineTenths: number
  /** Most frequent first, ties by name. */
  readonly topPhrases: readonly Concept[]
  readonly topHeads: readonly Concept[]
  /** Heads by how often they come: 1, 2 to 9, 10 to 99 and so on; the long tail is at the left. */
  readonly headHistogram: readonly { readonly from: number; readonly heads: number }[]
}

/** A phrase or a head lemma with its count. */
export interface Concept {
  readonly name: string
  readonly count: number
}

const DETERMINERS =
  /^(?:(?:the|an?|this|that|these|those|his|her|its|their|my|our|your|some|any|each|every|another)\s+)+(?=\S)/

/** The text under which a phrase is counted. */
export function conceptOf(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').replace(DETERMINERS, '')
}

/** Whatever has phrases, such as a row of groundings. */
export interface ConceptRow {
  readonly phrases: readonly Pick<Phrase, 'text' | 'lemma'>[]
}

/** Counts the phrases of rows, e.g. of groundings. Memory grows with the different concepts alone. */
export async function countConcepts(
  rows: Iterable<ConceptRow> | AsyncIterable<ConceptRow>,
): Promise<ConceptCounts> {
  const counts = { phrases: new Map<string, number>(), heads: new Map<string, number>() }
  for await (const { phrases } of rows) {
    for (const { text, lemma } of phrases) {
      addOne(counts.phrases, conceptOf(text))
      addOne(counts.heads, lemma)
    }
  }
  return counts
}

/** @param top most frequent phrases and heads that are named */
export function summarizeConcepts({ phrases, heads }: ConceptCounts, top = 20): ConceptSummary {
  const byHead = ranked(heads)
  const total = byHead.reduce((sum, { count }) => sum + count, 0)
  return {
    total,
    distinctPhrases: phrases.size,
    distinctHeads: heads.size,
    singlePhrases: [...phrases.values()].filter((count) => count === 1).length,
    singleHeads: byHead.filter(({ count }) => count === 1).length,
    headsOfHalf: fewestFor(byHead, total * 0.5),
    headsOfNineTenths: fewestFor(byHead, total * 0.9),
    topPhrases: ranked(phrases).slice(0, top),
    topHeads: byHead.slice(0, top),
    headHistogram: histogram(byHead),
  }
}

function addOne(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function ranked(counts: ReadonlyMap<string, number>): readonly Concept[] {
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
}

function fewestFor(concepts: readonly Concept[], wanted: number): number {
  let sum = 0
  let used = 0
  while (sum < wanted && used < concepts.length) sum += concepts[used++]!.count
  return used
}

function histogram(concepts: readonly Concept[]): ConceptSummary['headHistogram'] {
  const bins = new Map<number, number>()
  for (const { count } of concepts) {
    const from = count === 1 ? 1 : count < 10 ? 2 : 10 ** (String(count).length - 1)
    bins.set(from, (bins.get(from) ?? 0) + 1)
  }
  return [...bins].sort(([a], [b]) => a - b).map(([from, heads]) => ({ from, heads }))
}
