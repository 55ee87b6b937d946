// What somebody who misspelt a name may have meant.

import { closest, distance } from 'fastest-levenshtein'

/** The known word nearest to a misspelt one, within two edits or a third of its length; else undefined. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const small = known.map((name) => name.toLowerCase())
  const best = closest(word.toLowerCase(), small)
  const isNear = distance(word.toLowerCase(), best) <= Math.max(2, Math.floor(word.length / 3))
  return isNear ? known[small.indexOf(best)] : undefined
}
