// How often each phrase and each head is asked for: which concepts a dataset has, and how long its tail
// is. Counts are kept per shard and merged, in any order.

import type { Phrase } from '../core/types.ts'

export interface ConceptCounts {
  /** Phrases by text, in lower case without leading determiners. */
  readonly phrases: ReadonlyMap<string, number>
  /** Phrases by head lemma. */
  readonly heads: ReadonlyMap<string, number>
}

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

/** Counts the phrases of rows, e.g. of groundings. */
export function countConcepts(
  rows: Iterable<{ readonly phrases: readonly Pick<Phrase, 'text' | 'lemma'>[] }>,
): ConceptCounts {
  const counts = { phrases: new Map<string, number>(), heads: new Map<string, number>() }
  for (const { phrases } of rows) {
    for (const { text, lemma } of phrases) {
      add(counts.phrases, conceptOf(text), 1)
      add(counts.heads, lemma, 1)
    }
  }
  return counts
}

/** Associative and commutative; counts of no rows are its neutral element. */
export function mergeConcepts(a: ConceptCounts, b: ConceptCounts): ConceptCounts {
  const merged = { phrases: new Map(a.phrases), heads: new Map(a.heads) }
  for (const [name, count] of b.phrases) add(merged.phrases, name, count)
  for (const [name, count] of b.heads) add(merged.heads, name, count)
  return merged
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

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
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
