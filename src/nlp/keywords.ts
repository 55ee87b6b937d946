// "fresh vegetables market stall tomatoes peppers": a row of keywords reads as one long noun phrase.
// Such a chunk is split at nouns that are known to be things.

import type { Chunk } from './chunk.ts'
import { MAY } from './lexicon.ts'
import type { Word } from './word.ts'
import { setOf } from './words/list.ts'
import { MATERIALS, NOUNS } from './words/nouns.ts'

/** Words of a chunk without determiner or "and" beyond which it is a row of keywords. */
const MAX_WORDS = 6
/** The same where the caption has no function word: search terms have no sentence around them. */
const MAX_WORDS_OF_SEARCH = 3

const things = new Set(NOUNS)
for (const material of MATERIALS) things.delete(material)
/** Nouns that are a modifier more often than a thing when another noun follows. */
const MODIFIERS =
  setOf(`street beach park garden kitchen office school hotel home house city village baby toy
  tennis soccer baseball basketball football volleyball golf hockey rugby coffee tea wine beer
  water ice snow sand fire door window wall floor table bed desk phone computer laptop television tv
  bathroom bedroom dining living hand face head hair eye foot wheel boat car train bus truck bike
  bicycle motorcycle dog cat bird horse cow fish chicken flower fruit vegetable tree leaf palm sun moon star
  birthday wedding christmas police army fashion sports sport`)

/** The chunks with rows of keywords taken apart; chunks that are none stay as they are. */
export function splitKeywords(words: readonly Word[], chunks: readonly Chunk[]): readonly Chunk[] {
  let limit: number | undefined
  return chunks.flatMap((one) => {
    if (one.last - one.first < MAX_WORDS_OF_SEARCH) return [one]
    limit ??= words.every(({ tag }) => 'NJ#GEVM'.includes(tag)) ? MAX_WORDS_OF_SEARCH : MAX_WORDS
    const isLong = one.last - one.first >= limit
    return isLong && isKeywords(words, one) ? pieces(words, one) : [one]
  })
}

function isKeywords(words: readonly Word[], { first, last }: Chunk): boolean {
  const inside = words.slice(first, last + 1)
  if (inside.some(({ tag }) => 'DCSP'.includes(tag))) return false
  return inside.filter(({ lower, tag }) => tag === 'N' && things.has(lower)).length > 1
}

function pieces(words: readonly Word[], { first, last }: Chunk): readonly Chunk[] {
  const found: Chunk[] = []
  let start = first
  for (let at = first; at <= last; at++) {
    const word = words[at]!
    if (word.tag !== 'N') continue
    const isEnd =
      at === last ||
      (word.may & MAY.plural) !== 0 ||
      words[at + 1]!.tag !== 'N' ||
      (things.has(word.lower) && !MODIFIERS.has(word.lower))
    if (!isEnd) continue
    found.push({ first: start, last: at, head: at })
    start = at + 1
  }
  return found
}
