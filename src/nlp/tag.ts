// Decides each word's class from left to right. Lexical class first, then the ordered rules of
// tag-rules.ts for that class; the first rule with an answer wins. Words to the left are decided, words
// to the right are known by their lexical class only.

import { tagAfter, tagBefore } from './context.ts'
import { MAY, type Lexicon, type Tag } from './lexicon.ts'
import { RULES, type TagRule } from './tag-rules.ts'
import { FIXED_GROUPS } from './words/closed.ts'
import type { Token } from './tokenize.ts'
import type { Word } from './word.ts'

/** First word of a fixed group -> the words after it, the longest first. */
const FIXED = new Map<string, (readonly string[])[]>()
for (const group of FIXED_GROUPS) {
  const [first, ...rest] = group.split(' ')
  const rests = FIXED.get(first!) ?? []
  FIXED.set(
    first!,
    [...rests, rest].sort((a, b) => b.length - a.length),
  )
}

/** Gives each token its class. */
export interface Tagger {
  tag(tokens: readonly Token[]): readonly Word[]
}

/** @param without names of rules that are not applied, for ablations */
export function createTagger(lexicon: Lexicon, without: ReadonlySet<string> = new Set()): Tagger {
  const byTag = new Map<Tag, readonly TagRule[]>()
  for (const rule of RULES) {
    if (without.has(rule.name)) continue
    for (const tag of rule.on) byTag.set(tag as Tag, [...(byTag.get(tag as Tag) ?? []), rule])
  }
  return {
    tag(tokens) {
      const words = tokens.map((token): Word => {
        const { tag, may, isKnown } = lexicon.lookUp(token.lower)
        return { ...token, tag, may, isKnown, rule: 'lexicon' }
      })
      fixGroups(words)
      const isCased = usesCase(words)
      for (let i = 0; i < words.length; i++) {
        const word = words[i]!
        if (word.rule === 'fixed-group') continue
        // "us" is a pronoun but for "the US".
        const isUnitedStates = word.text === 'US' && (isCased || words[i - 1]?.lower === 'the')
        if (isUnitedStates || (isCased && isCapitalName(words, i))) {
          word.tag = 'P'
          word.rule = 'capital'
          continue
        }
        const place = {
          words,
          i,
          word,
          left: tagBefore(words, i) || '.',
          next: tagAfter(words, i) || '.',
        } as const
        for (const rule of byTag.get(word.tag) ?? []) {
          const tag = rule.decide(place)
          if (tag === undefined) continue
          word.tag = tag
          word.rule = rule.name
          break
        }
      }
      return words
    },
  }
}

/** Marks "in front of" and the like, whose words are no nouns. */
function fixGroups(words: readonly Word[]): void {
  for (let i = 0; i + 1 < words.length; i++) {
    for (const rest of FIXED.get(words[i]!.lower) ?? []) {
      if (
        !rest.every(
          (lower, k) => words[i + 1 + k]?.lower === lower && words[i + 1 + k]!.gap === 'space',
        )
      )
        continue
      for (const word of words.slice(i, i + rest.length + 1)) {
        word.tag = 'I'
        word.rule = 'fixed-group'
      }
      i += rest.length
      break
    }
  }
}

/** Capitals say something only where not every word has one: ALL CAPS and Title Case captions do not. */
function usesCase(words: readonly Word[]): boolean {
  let content = 0
  let capital = 0
  for (const { tag, text } of words) {
    if (!'NPJVGE'.includes(tag)) continue
    content++
    if (/^\p{Lu}/u.test(text)) capital++
  }
  return content > 1 && capital * 2 < content + 1
}

function isCapitalName(words: readonly Word[], i: number): boolean {
  const { text, gap, tag, may, isKnown } = words[i]!
  if (!/^\p{Lu}/u.test(text) || !'NPJVGE'.includes(tag)) return false
  if (tag === 'J' && (may & MAY.noun) === 0 && isKnown) return false
  // "TV", "SUV": capitals of their own, yet no name.
  if (tag === 'N' && isKnown && /^\p{Lu}{2,4}s?$/u.test(text)) return false
  return i > 0 && gap !== 'break'
}
