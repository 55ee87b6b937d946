// The rules that decide a word's class by its neighbours. Order matters: the first answer wins.
// Each has its reason and an example that test/nlp/tag-rules.test.ts checks.

import { MAY, type Tag } from './lexicon.ts'
import type { Word } from './tag.ts'
import { COMPOUND_PARTICIPLES, ING_COMPOUND, ING_MODIFIER, ING_NOUNS } from './words/verbs.ts'

export interface TagRule {
  readonly name: string
  /** Lexical classes of the words it looks at. */
  readonly on: string
  readonly reason: string
  /** A caption and the word in it that this rule decides. */
  readonly example: { readonly caption: string; readonly word: string; readonly tag: Tag }
  /** @returns the class, or undefined to ask the next rule */
  decide(words: readonly Word[], i: number): Tag | undefined
}

const NOMINAL = MAY.noun | MAY.plural | MAY.name
const VERBAL = MAY.base | MAY.thirdPerson
const ingNouns = new Set(ING_NOUNS)
const ingCompound = new Set(ING_COMPOUND)
const ingModifier = new Set(ING_MODIFIER)
const compoundParticiples = new Set(COMPOUND_PARTICIPLES)

/** Class of the word before, '' where a break or comma stands between. */
function before(words: readonly Word[], i: number): Tag | '' {
  if (i === 0 || words[i]!.gap === 'break' || words[i]!.gap === 'comma') return ''
  return words[i - 1]!.tag
}

/** Lexical class of the word after, '' where a break or comma stands between. */
function after(words: readonly Word[], i: number): Tag | '' {
  const next = words[i + 1]
  return next === undefined || next.gap === 'break' || next.gap === 'comma' ? '' : next.tag
}

/** Whether a noun follows without anything but describing words between. */
function isBeforeNoun(words: readonly Word[], i: number): boolean {
  for (let at = i + 1; at < words.length; at++) {
    const { gap, tag, may } = words[at]!
    if (gap === 'break' || gap === 'comma') return false
    if ((may & NOMINAL) !== 0 || 'NPS'.includes(tag)) return true
    if (tag === 'V' && at === i + 1 && (may & MAY.base) !== 0) return false
    if (!'J#EG'.includes(tag)) return false
  }
  return false
}

/** First word of the noun phrase that ends before i, i itself if there is none. */
function phraseStart(words: readonly Word[], i: number): number {
  let start = i
  while (start > 0) {
    const { gap } = words[start]!
    if (start < i && (gap === 'break' || gap === 'comma')) break
    const left = words[start - 1]!
    if (!'DJNPS#M'.includes(left.tag)) break
    start--
    if (left.tag === 'D') break
  }
  return start
}

function isPluralSubject(words: readonly Word[], i: number): boolean {
  const start = phraseStart(words, i)
  if ((words[i - 1]!.may & MAY.plural) !== 0) return true
  if (
    /^(?:people|men|women|children|police|kids|sheep|deer|fish|elephants)$/.test(
      words[i - 1]!.lower,
    )
  )
    return true
  return start > 1 && words[start - 1]!.tag === 'C' && 'NP'.includes(words[start - 2]!.tag)
}

/** "a", "one", "this": no plural can end that phrase. */
function isSingularPhrase(words: readonly Word[], i: number): boolean {
  const start = phraseStart(words, i)
  return start < i && /^(?:a|an|one|this|that|each|every|another)$/.test(words[start]!.lower)
}

/** Whether the clause to the left already has its finite verb. */
function hasVerb(words: readonly Word[], i: number): boolean {
  for (let at = i - 1; at >= 0; at--) {
    const { tag } = words[at]!
    if (tag === 'V' || tag === 'A') return true
    if (tag === 'K' || tag === 'W' || words[at]!.gap === 'break') return false
  }
  return false
}

export const RULES: readonly TagRule[] = [
  {
    name: 'that-relative',
    on: 'D',
    reason: '"that" after a noun or before a verb opens a clause',
    example: { caption: 'A dog that is running', word: 'that', tag: 'W' },
    decide(words, i) {
      const { lower } = words[i]!
      if (lower === 'which' || lower === 'what')
        return isBeforeNoun(words, i) && lower === 'what' ? undefined : 'W'
      if (lower !== 'that') return undefined
      if ('NP'.includes(before(words, i) || 'X')) return 'W'
      return isBeforeNoun(words, i) ? undefined : 'W'
    },
  },
  {
    name: 'possessive-alone',
    on: 'D',
    reason: '"her" without a noun after it is a pronoun',
    example: { caption: 'A man is looking at her', word: 'her', tag: 'O' },
    decide(words, i) {
      const { lower } = words[i]!
      if (/^(?:a|an|the|every|no)$/.test(lower)) return undefined
      if (lower === "it's") return 'A'
      const next = after(words, i)
      if (next === '' || 'IAOCKWTR'.includes(next))
        return next === 'R' || next === 'O' ? undefined : next === 'D' ? undefined : 'O'
      return undefined
    },
  },
  {
    name: 'infinitive',
    on: 'T',
    reason: '"to" before a thing is a preposition',
    example: { caption: 'A man next to the car', word: 'to', tag: 'I' },
    decide(words, i) {
      const next = words[i + 1]
      return next !== undefined && (next.may & MAY.base) !== 0 ? undefined : 'I'
    },
  },
  {
    name: 'like-verb',
    on: 'I',
    reason: '"like" after a pronoun or "to" is a verb',
    example: { caption: 'They like the park', word: 'like', tag: 'V' },
    decide(words, i) {
      if (words[i]!.lower !== 'like') return undefined
      return 'OTA'.includes(before(words, i) || 'X') ? 'V' : undefined
    },
  },
  {
    name: 'verb-after-function-word',
    on: 'NVJ',
    reason: 'after "to", a modal, a pronoun or "who" stands a verb',
    example: { caption: 'A man who rides', word: 'rides', tag: 'V' },
    decide(words, i) {
      const { may } = words[i]!
      if ((may & VERBAL) === 0) return undefined
      const left = before(words, i)
      if (left === 'T') return (may & MAY.base) !== 0 ? 'V' : undefined
      if (left === 'W') return 'V'
      if (left === 'O') return words[i - 1]!.lower === 'there' ? 'N' : 'V'
      if (left === 'A') {
        return (may & MAY.base) !== 0 &&
          !/^(?:is|are|was|were|be|been|being|has|have|had|isn't|aren't)$/.test(words[i - 1]!.lower)
          ? 'V'
          : undefined
      }
      return undefined
    },
  },
  {
    name: 'noun-after-modifier',
    on: 'NV',
    reason: 'after a determiner, number, adjective or preposition stands a noun',
    example: { caption: 'A man on a ride', word: 'ride', tag: 'N' },
    decide(words, i) {
      const left = before(words, i)
      if (left === '' || !'D#JSIM'.includes(left)) return undefined
      return 'N'
    },
  },
  {
    name: 'verb-by-agreement',
    on: 'NV',
    reason: 'a plural subject takes the base form, a singular one the -s form',
    example: { caption: 'Two dogs play', word: 'play', tag: 'V' },
    decide(words, i) {
      const { may } = words[i]!
      const left = before(words, i)
      if (left === '' || !'NP'.includes(left) || (may & VERBAL) === 0) return undefined
      const isPlural = isPluralSubject(words, i)
      if ((may & MAY.base) !== 0) {
        if (isPlural && (may & NOMINAL) === 0) return 'V'
        if (isPlural && !hasVerb(words, i)) return 'V'
        return 'N'
      }
      if (isPlural) return (may & NOMINAL) === 0 ? 'V' : 'N'
      if ((may & NOMINAL) === 0 || isSingularPhrase(words, i)) return 'V'
      if (hasVerb(words, i)) return 'N'
      const next = after(words, i)
      return next === '' || 'DIRTOJ#'.includes(next) ? 'V' : 'N'
    },
  },
  {
    name: 'verb-after-and',
    on: 'NV',
    reason: '"and" joins a second verb to the first',
    example: { caption: 'A man sits and looks at a dog', word: 'looks', tag: 'V' },
    decide(words, i) {
      const { may } = words[i]!
      if (before(words, i) !== 'C' || (may & VERBAL) === 0) return undefined
      const next = after(words, i)
      return hasVerb(words, i) && 'DITRO'.includes(next || 'X') ? 'V' : undefined
    },
  },
  {
    name: 'verb-at-start',
    on: 'V',
    reason: 'a caption does not start with a verb: the word is its subject',
    example: { caption: 'Train in a station', word: 'Train', tag: 'N' },
    decide(words, i) {
      if (before(words, i) !== '' || (words[i]!.may & MAY.base) === 0) return undefined
      return 'IGEVA'.includes(after(words, i) || 'X') ? 'N' : undefined
    },
  },
  {
    name: 'ing-noun',
    on: 'NG',
    reason: '"building", "clothing", "ceiling" are things unless "is" stands before',
    example: { caption: 'A man near building', word: 'building', tag: 'N' },
    decide(words, i) {
      const { lower } = words[i]!
      if (!ingNouns.has(lower)) return undefined
      const left = before(words, i)
      if (left === 'A') return 'G'
      if ('NP'.includes(left || 'X') && after(words, i) === 'D') return 'G'
      return 'N'
    },
  },
  {
    name: 'ing-compound',
    on: 'NG',
    reason: '"dining table": the -ing word names the use of the thing',
    example: { caption: 'Wood dining table', word: 'dining', tag: 'N' },
    decide(words, i) {
      if (!ingCompound.has(words[i]!.lower)) return undefined
      const left = before(words, i)
      if (left !== '' && 'D#JS'.includes(left)) return isBeforeNoun(words, i) ? 'N' : undefined
      return left === '' || 'INP'.includes(left)
        ? isCompoundHead(words[i + 1])
          ? 'N'
          : undefined
        : undefined
    },
  },
  {
    name: 'ing-modifier',
    on: 'NG',
    reason: 'between determiner and noun an -ing word describes',
    example: { caption: 'A smiling woman', word: 'smiling', tag: 'J' },
    decide(words, i) {
      if (!words[i]!.lower.endsWith('ing')) return undefined
      const left = before(words, i)
      if (left !== '' && 'D#JSR'.includes(left))
        return isBeforeNoun(words, i) ? 'J' : left === 'R' ? undefined : 'N'
      if ((left === '' || left === 'I' || left === 'C') && ingModifier.has(words[i]!.lower)) {
        return isBeforeNoun(words, i) && after(words, i) !== 'D' ? 'J' : undefined
      }
      return undefined
    },
  },
  {
    name: 'ing-verb',
    on: 'N',
    reason: 'an -ing word after a noun is its verb',
    example: { caption: 'A man painting a fence', word: 'painting', tag: 'G' },
    decide(words, i) {
      return (words[i]!.may & MAY.gerund) !== 0 && words[i]!.lower.endsWith('ing') ? 'G' : undefined
    },
  },
  {
    name: 'participle-compound',
    on: 'EJ',
    reason: '"snow covered field": noun and participle describe together',
    example: { caption: 'A snow covered field', word: 'covered', tag: 'M' },
    decide(words, i) {
      if (!compoundParticiples.has(words[i]!.lower)) return undefined
      return before(words, i) === 'N' &&
        isBeforeNoun(words, i) &&
        !/^(?:in|with|by)$/.test(words[i + 1]!.lower)
        ? 'M'
        : undefined
    },
  },
  {
    name: 'participle-modifier',
    on: 'E',
    reason: 'a participle between determiner or preposition and noun describes',
    example: { caption: 'A potted plant', word: 'potted', tag: 'J' },
    decide(words, i) {
      const left = before(words, i)
      if (left !== '' && !'D#JSIRCVG'.includes(left)) return undefined
      return isBeforeNoun(words, i) ? 'J' : undefined
    },
  },
  {
    name: 'adjective-as-noun',
    on: 'J',
    reason: 'an adjective that is a noun too, with no noun after it',
    example: { caption: 'A man in the dark', word: 'dark', tag: 'N' },
    decide(words, i) {
      return (words[i]!.may & MAY.noun) !== 0 && !isBeforeNoun(words, i) ? 'N' : undefined
    },
  },
  {
    name: 'noun-as-adjective',
    on: 'N',
    reason: 'a word that may be an adjective describes the noun after it',
    example: { caption: 'A light jacket', word: 'light', tag: 'J' },
    decide(words, i) {
      return (words[i]!.may & MAY.adjective) !== 0 && isBeforeNoun(words, i) ? 'J' : undefined
    },
  },
]

const COMPOUND_HEADS = new Set(
  `table tables pool pools lot lots room rooms gear board boards machine machines suit suits trunks cap
  boots shoes boat boats rod rods pole poles line lines meter meters garage space spaces area areas bag bags
  chair chairs station stations stick path trail track hall court field ring rink alley ball net cage
  shorts pants outfit equipment truck crew team instructor lesson bike pan tent helmet goggles cart
  carts mall center store counter booth glove gloves jersey lights light game match competition event
  pot pots horse fish season wheel wall vest dress lane ramp sign signs jacket uniform hat`.split(
    /\s+/,
  ),
)

function isCompoundHead(word: Word | undefined): boolean {
  return word !== undefined && word.gap === 'space' && COMPOUND_HEADS.has(word.lower)
}
