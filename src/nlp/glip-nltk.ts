// The extractor `glip-nltk`: the one rule of GLIP's demo and of its pseudo-labels, DT? JJ* NN+ on Penn
// tags. Numbers, possessives and participles are no part of a phrase there. Differences from the original
// are meant: our classes stand in for NLTK's tagger, and spans stay where the chunker found them instead
// of being searched in the caption again, which finds "a car" in "a carpet" and loses phrases with
// punctuation.

import { MAY } from './lexicon.ts'
import { phraseOf, type FoundPhrase } from './reading.ts'
import type { Word } from './word.ts'
import { setOf } from './words/list.ts'

/** Penn's DT; possessives are PRP$ there, numbers CD, "such" and "what" PDT and WP. */
const PENN_DETERMINERS = setOf(`
  a an the this that these those some any each every either neither no another all both half`)

type Penn = 'DT' | 'JJ' | 'NN' | 'other'

/** Phrases from left to right, without overlap; the head is the last noun. */
export function glipNltk(words: readonly Word[]): readonly FoundPhrase[] {
  const phrases: FoundPhrase[] = []
  for (let at = 0; at < words.length;) {
    const first = at
    const isNext = (tag: Penn) => {
      const word = words[at]
      return word !== undefined && (at === first || word.gap === 'space') && pennTag(word) === tag
    }
    if (isNext('DT')) at++
    while (isNext('JJ')) at++
    const noun = at
    while (isNext('NN')) if (words[at++]!.tag === 'S') break
    if (at === noun) {
      at = Math.max(at, first + 1)
      continue
    }
    const { tag, text } = words[at - 1]!
    const phrase = phraseOf(words, { first, last: at - 1, head: at - 1 })
    // NLTK splits "'s" off as a word of its own.
    const suffix = tag === 'S' ? (/['’]s?$/iu.exec(text)?.[0].length ?? 0) : 0
    phrases.push({ ...phrase, end: phrase.end - suffix })
  }
  return phrases
}

function pennTag({ tag, lower, may }: Word): Penn {
  // Alone after a space, as tokenized captions have it.
  if (/^['’]/.test(lower)) return 'other'
  if (tag === 'D') return PENN_DETERMINERS.has(lower) ? 'DT' : 'other'
  if (tag === 'N' || tag === 'P' || tag === 'S') return 'NN'
  if (tag !== 'J') return 'other'
  // What is a describing participle here is VBG or VBN there.
  return (may & (MAY.gerund | MAY.past)) === 0 ? 'JJ' : 'other'
}
