// The category policy: COCO and detection files need a closed list of names, sorted and the same in
// every shard, though the vocabulary is open.

import { normalName } from '../filter/phrase-rules.ts'
import type { CommonOptions } from './options.ts'

/** The category of a phrase (its normal name) with a head lemma, or undefined if it has none. */
export type CategoryOf = (phrase: string, lemma: string) => string | undefined

/** For files in which a box has its phrase. */
export const everyPhrase: CategoryOf = (phrase) => phrase

/** What the options say. */
export function categoryPolicy({ by, list }: CommonOptions['categories']): CategoryOf {
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
  { by, list }: CommonOptions['categories'],
): string[] {
  return by === 'list' ? [...list] : [...used].sort()
}
