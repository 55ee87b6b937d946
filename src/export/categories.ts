// The category policy: COCO and detection files need a closed list of names, sorted and the same in
// every shard, though the vocabulary is open.

import type { ExportOptions } from './options.ts'
import { normalName } from './sample.ts'

export type CategoryOf = (phrase: string, lemma: string) => string | undefined

/** @returns the category of a phrase (lower case) with a head lemma, or undefined if it has none */
export function categoryPolicy({ by, list }: ExportOptions['categories']): CategoryOf {
  switch (by) {
    case 'phrase':
      return (phrase) => phrase
    case 'head':
      return (_phrase, lemma) => lemma
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
