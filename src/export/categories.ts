// The category policy: COCO and detection files need a closed list of names, sorted and the same in
// every shard, though the vocabulary is open.

import type { ExportOptions } from './options.ts'

export type CategoryOf = (phrase: string, lemma: string) => string | undefined

/** Lower case with single spaces. */
export function normalName(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim()
}

export const everyPhrase: CategoryOf = (phrase) => phrase

/** @returns the category of a phrase (lower case) with a head lemma, or undefined if it has none */
export function categoryPolicy({ by, list }: ExportOptions['categories']): CategoryOf {
  switch (by) {
    case 'phrase':
      return everyPhrase
    case 'head':
      return (phrase, lemma) => (lemma === '' ? phrase : lemma)
    case 'list': {
      const names = new Map(list.map((name) => [normalName(name), name]))
      return (phrase, lemma) => names.get(phrase) ?? names.get(lemma)
    }
  }
}

/** Names in the order of their ids: of a list as given, else sorted by code unit. */
export function orderCategories(
  used: ReadonlySet<string>,
  { by, list }: ExportOptions['categories'],
): string[] {
  return by === 'list' ? [...list] : [...used].sort()
}
