// The rules that decide a word's class by its neighbours. Order matters: the first answer wins.
// Each has its reason and an example, which the tests check.

import { addS, MAY, type Tag } from './lexicon.ts'
import {
  clauseHasVerb,
  isBeforeNoun,
  isNominal,
  subjectNumber,
  tagAfter,
  tagBefore,
  phraseStart,
} from './context.ts'
import type { Word } from './word.ts'
import {
  COMPOUND_PARTICIPLES,
  ING_COMPOUND,
  ING_COMPOUND_HEADS,
  ING_MODIFIER,
  ING_THINGS,
  VERBS,
} from './words/verbs.ts'
import { CLAUSE_OPENERS } from './words/closed.ts'
import { COLOURS } from './words/adjectives.ts'
import { setOf } from './words/list.ts'
import { ANIMATE, MATERIALS, NOUN_FIRST, NOUN_OR_VERB } from './words/nouns.ts'

/** One reason to give a word a class. */
export interface TagRule {
  readonly name: string
  /** Lexical classes of the words it looks at. */
  readonly on: string
  readonly reason: string
  /** A caption and the word in it that this rule decides. */
  readonly example: { readonly caption: string; readonly word: string; readonly tag: Tag }
  /** @returns the class, or undefined to ask the next rule */
  decide(place: Place): Tag | undefined
}

/** A word whose class is asked for, and what stands around it. */
export interface Place {
  readonly words: readonly Word[]
  readonly i: number
  readonly word: Word
  /** Classes of the words beside it, "." where a break or comma stands between. */
  readonly left: Tag | '.'
  readonly next: Tag | '.'
}

const VERBAL = MAY.base | MAY.thirdPerson
const nounFirst = new Set([...NOUN_FIRST].flatMap((noun) => [noun, addS(noun)]))

const commonVerbs = new Set([...VERBS, ...NOUN_OR_VERB].flatMap((verb) => [verb, addS(verb)]))

const BE = setOf("is are was were be been being am isn't aren't wasn't weren't")
const HAVE = setOf("has have had having hasn't haven't hadn't")
const SUBJECTS = setOf('i you he she we they')
const ARTICLES = setOf('a an the every no')
const SINGULAR_ARTICLES = setOf('a an one another each every this')
const QUANTIFIERS = setOf(
  'one two three four some each all both another other others several many few',
)
/** What lets, makes or watches somebody do something: after its object stands a bare infinitive. */
const CAUSATIVES = setOf(
  'help helps helping helped watch watches watching watched let lets letting make makes making made see sees seeing hear hears hearing',
)
const DEGREE = setOf('very quite so too extremely most more less really rather pretty fairly')

/** Where a verb stands rather than a noun: nothing, or a function word, comes after it. */
function endsPhrase(words: readonly Word[], i: number): boolean {
  const next = tagAfter(words, i)
  return next === '' || ('DIRTOGKC#'.includes(next) && words[i + 1]!.lower !== 'of')
}

/** "in blue", "wearing red": the colour is all that is worn. */
function isBareColour(words: readonly Word[], i: number): boolean {
  if (i < 1 || !COLOURS.has(words[i]!.lower)) return false
  const left = words[i - 1]!
  if (/^(?:in|wearing)$/.test(left.lower)) return true
  return (
    (left.tag === 'J' && isBareColour(words, i - 1)) ||
    (left.tag === 'C' && isBareColour(words, i - 2))
  )
}

function startsWithArticle(words: readonly Word[], i: number): boolean {
  return ARTICLES.has(words[phraseStart(words, i)]!.lower)
}

function isAfterAnimate(words: readonly Word[], i: number): boolean {
  return tagBefore(words, i) === 'N' && ANIMATE.has(words[i - 1]!.lower)
}

/** "shopping bags", "dining table". */
function isCompound(words: readonly Word[], i: number): boolean {
  const next = words[i + 1]
  return (
    ING_COMPOUND.has(words[i]!.lower) && next?.gap === 'space' && ING_COMPOUND_HEADS.has(next.lower)
  )
}

/** A verb that captions use, so that the word is not taken for a rare plural or a modifier. */
function isCommon(lower: string): boolean {
  return commonVerbs.has(lower)
}

/** Asked in this order. */
export const RULES: readonly TagRule[] = [
  {
    name: 'that-relative',
    on: 'D',
    reason: '"that" after a noun or before a verb opens a clause',
    example: { caption: 'A dog that is running', word: 'that', tag: 'W' },
    decide({ word: { lower, text }, words, i, left, next }) {
      if (lower === 'which') return 'W'
      if (lower !== 'that' && lower !== 'what') return undefined
      if (lower === 'that' && /^\p{Lu}/u.test(words[i + 1]?.text ?? '') && !/^\p{Lu}/u.test(text))
        return 'W'
      if (lower === 'that' && (left === 'N' || left === 'P')) return 'W'
      return isBeforeNoun(words, i) && next !== 'P' ? undefined : 'W'
    },
  },
  {
    name: 'determiner-alone',
    on: 'D',
    reason: '"her" or "all" without a noun after it is a pronoun',
    example: { caption: 'A man is looking at her', word: 'her', tag: 'O' },
    decide({ word: { lower }, words, i, next }) {
      if (ARTICLES.has(lower)) return undefined
      if (lower === "it's") {
        const after = words[i + 1]
        return after?.tag === 'N' && isNominal(after) ? undefined : 'A'
      }
      if ('IAOCKWT.'.includes(next)) return 'O'
      const may = words[i + 1]!.may
      // Its apostrophe forgotten: "its beautiful".
      if (lower === 'its' && 'JR'.includes(next) && !isBeforeNoun(words, i)) return 'A'
      if (lower === 'both' && (may & MAY.base) !== 0 && (may & MAY.plural) === 0) return 'O'
      if (lower === 'her' && next === 'V' && (may & MAY.thirdPerson) !== 0) return 'O'
      if (QUANTIFIERS.has(lower) && next === 'G' && !ING_MODIFIER.has(words[i + 1]!.lower))
        return 'O'
      return undefined
    },
  },
  {
    name: 'one-alone',
    on: '#',
    reason: '"one points", "one wearing": a pronoun with its verb',
    example: { caption: 'Two boys, one wearing a hat', word: 'one', tag: 'O' },
    decide({ word: { lower }, words, i, left }) {
      const after = words[i + 1]
      if (after === undefined || after.gap !== 'space' || !QUANTIFIERS.has(lower)) return undefined
      if (after.tag === 'G' && !ING_MODIFIER.has(after.lower) && !isCompound(words, i + 1))
        return 'O'
      const mayBeVerb = (after.may & MAY.base) !== 0 && (after.may & MAY.plural) === 0
      if (mayBeVerb && lower !== 'one' && 'DO'.includes(tagAfter(words, i + 1) || 'X')) return 'O'
      return lower === 'one' && (after.may & MAY.thirdPerson) !== 0 && left !== 'J'
        ? 'O'
        : undefined
    },
  },
  {
    name: 'one-noun',
    on: '#',
    reason: '"a black one": it stands for a thing',
    example: { caption: 'A red car and a black one', word: 'one', tag: 'N' },
    decide({ word: { lower }, words, i, left }) {
      if (lower !== 'one' || isBeforeNoun(words, i)) return undefined
      return 'JD'.includes(left) ? 'N' : undefined
    },
  },
  {
    name: 'infinitive',
    on: 'T',
    reason: '"to" before a thing is a preposition',
    example: { caption: 'A road to the sea', word: 'to', tag: 'I' },
    decide({ words, i }) {
      const after = words[i + 1]
      if (after === undefined) return 'I'
      if ((after.may & MAY.base) !== 0) return undefined
      const isUnknownVerb = !after.isKnown && after.tag === 'N' && (after.may & MAY.plural) === 0
      return isUnknownVerb && 'DO'.includes(tagAfter(words, i + 1) || 'X') ? undefined : 'I'
    },
  },
  {
    name: 'close-up',
    on: 'I',
    reason: '"a close up" is one noun in two words',
    example: { caption: 'A close up of a cat', word: 'up', tag: 'N' },
    decide({ word: { lower }, words, i, left }) {
      if (lower !== 'up' || left === '.' || i < 2) return undefined
      return words[i - 1]!.lower === 'close' && 'DJ'.includes(tagBefore(words, i - 1) || 'X')
        ? 'N'
        : undefined
    },
  },
  {
    name: 'place-modifier',
    on: 'IR',
    reason: '"the past years", "an inside wall": between determiner and noun it describes',
    example: { caption: 'The outside wall', word: 'outside', tag: 'J' },
    decide({ word: { lower, tag }, words, i, left }) {
      if (left !== 'D' || lower === 'of') return undefined
      if (tag === 'R' && !/^(?:back|overhead|away|upside|home|downtown|then|still)$/.test(lower))
        return undefined
      if (isBeforeNoun(words, i)) return 'J'
      return /^(?:past|inside|outside|back)$/.test(lower) ? 'N' : undefined
    },
  },
  {
    name: 'verb-after-function-word',
    on: 'NVJ',
    reason: 'after "to", a modal, a pronoun or "who" stands a verb',
    example: { caption: 'A man who rides', word: 'rides', tag: 'V' },
    decide({ word: { tag, may, isKnown }, words, i, left, next }) {
      if (left === 'T') return 'V'
      const isUnknown = !isKnown && tag === 'N' && (may & (MAY.plural | MAY.name)) === 0
      if (left === 'A') {
        const aux = words[i - 1]!.lower
        if (BE.has(aux) || HAVE.has(aux)) return undefined
        return (may & MAY.base) !== 0 || (isUnknown && next !== 'N') ? 'V' : undefined
      }
      if (left === 'O' && isUnknown && SUBJECTS.has(words[i - 1]!.lower)) {
        return 'DOIT'.includes(next) ? 'V' : undefined
      }
      if ((may & VERBAL) === 0) return undefined
      if (left === 'W') return 'V'
      if (left !== 'O') return undefined
      return /^(?:there|here)$/.test(words[i - 1]!.lower) ? undefined : 'V'
    },
  },
  {
    name: 'ing-after-colour',
    on: 'NGJ',
    reason: '"a man in white playing": the colour is clothing, the word is his verb',
    example: { caption: 'A man in white playing a guitar', word: 'playing', tag: 'G' },
    decide({ word: { lower, gap }, words, i }) {
      if (!lower.endsWith('ing') || gap !== 'space' || !isBareColour(words, i - 1)) return undefined
      return ING_THINGS.has(lower) ? undefined : 'G'
    },
  },
  {
    name: 'verb-after-colour',
    on: 'NV',
    reason: '"a boy in red slides": the colour is clothing, the word is his verb',
    example: { caption: 'A boy in red slides down', word: 'slides', tag: 'V' },
    decide({ word: { lower, may }, words, i, left, next }) {
      if ((may & VERBAL) === 0 || !isBareColour(words, i - 1) || left === '.') return undefined
      if (next === 'G' && (may & MAY.noun) !== 0) return undefined
      if (nounFirst.has(lower)) return undefined
      return !clauseHasVerb(words, i) && endsPhrase(words, i) && next !== '.' ? 'V' : undefined
    },
  },
  {
    name: 'ing-thing',
    on: 'NG',
    reason: '"building", "clothing", "ceiling" are things unless "is" stands before',
    example: { caption: 'A man near building', word: 'building', tag: 'N' },
    decide({ word: { lower, may }, words, i, left, next }) {
      if (!ING_THINGS.has(lower) || (may & VERBAL) !== 0) return undefined
      if (isAfterAnimate(words, i) && 'DOIR'.includes(next)) return 'G'
      if (left === 'A' && next !== '.' && lower.endsWith('g')) return 'G'
      if ('NP'.includes(left) && 'DO'.includes(next)) return 'G'
      return 'N'
    },
  },
  {
    name: 'ing-compound',
    on: 'NG',
    reason: '"dining table": the -ing word names the use of the thing',
    example: { caption: 'Wood dining table', word: 'dining', tag: 'N' },
    decide({ word: { lower }, words, i, left }) {
      if (!ING_COMPOUND.has(lower)) return undefined
      if (isCompound(words, i) && left !== 'A' && !isAfterAnimate(words, i)) return 'N'
      return 'D#JS'.includes(left) && isBeforeNoun(words, i) ? 'N' : undefined
    },
  },
  {
    name: 'ing-modifier',
    on: 'NGJ',
    reason: 'between determiner and noun an -ing word describes',
    example: { caption: 'A smiling woman', word: 'smiling', tag: 'J' },
    decide({ word: { lower, may, isKnown }, words, i, left, next }) {
      if (!lower.endsWith('ing') || (isKnown && (may & MAY.gerund) === 0)) return undefined
      if ('D#JS'.includes(left)) {
        if (isBeforeNoun(words, i)) return 'J'
        // "the other white laying on a bed": an adjective stands for the thing.
        return left === 'J' && 'IDOR'.includes(next) ? 'G' : 'N'
      }
      if (left === 'R' && i > 1 && 'D'.includes(tagBefore(words, i - 1) || 'X')) return 'J'
      if (left === '.' || left === 'I' || left === 'C') {
        const isFree = next === 'N' || next === 'J' || next === 'P' || next === 'E'
        return ING_MODIFIER.has(lower) && isFree && isBeforeNoun(words, i) ? 'J' : undefined
      }
      return undefined
    },
  },
  {
    name: 'ing-activity',
    on: 'NGJ',
    reason: '"for fishing": after a preposition, with nothing that it is done to, an activity',
    example: { caption: 'Gear for fishing', word: 'fishing', tag: 'N' },
    decide({ word: { lower }, words, i, left, next }) {
      if (!lower.endsWith('ing') || left !== 'I' || CLAUSE_OPENERS.has(words[i - 1]!.lower))
        return undefined
      if (!/^(?:for|of|about|from|during|with|into|on)$/.test(words[i - 1]!.lower)) return undefined
      if (next === '.') return words[i + 1]?.gap === 'quote' ? undefined : 'N'
      return next === 'C' || next === 'A' ? 'N' : undefined
    },
  },
  {
    name: 'ing-verb',
    on: 'NJ',
    reason: 'any other -ing word is a verb',
    example: { caption: 'A dog chewing a bone', word: 'chewing', tag: 'G' },
    decide({ word: { lower, may } }) {
      return (may & MAY.gerund) !== 0 && lower.endsWith('ing') ? 'G' : undefined
    },
  },
  {
    name: 'participle-compound',
    on: 'NEJ',
    reason: '"snow covered field": noun and participle describe together',
    example: { caption: 'A snow covered field', word: 'covered', tag: 'M' },
    decide({ word: { lower, may }, words, i, left }) {
      const isOfMaterial = (may & MAY.past) !== 0 && MATERIALS.has(words[i - 1]?.lower ?? '')
      if (!COMPOUND_PARTICIPLES.has(lower) && !isOfMaterial) return undefined
      return left === 'N' && isBeforeNoun(words, i) ? 'M' : undefined
    },
  },
  {
    name: 'participle-modifier',
    on: 'EJ',
    reason: 'a participle between determiner or preposition and noun describes',
    example: { caption: 'A potted plant', word: 'potted', tag: 'J' },
    decide({ word: { may }, words, i, left, next }) {
      if ((may & MAY.past) === 0) return undefined
      if (!isBeforeNoun(words, i))
        return (may & MAY.noun) !== 0 && 'D#JSI'.includes(left) ? 'N' : undefined
      if (left === '.' && next === 'P') return undefined
      if ('D#JSIVGM.'.includes(left)) return 'J'
      if (left === 'R') return 'DI'.includes(tagBefore(words, i - 1) || 'D') ? 'J' : undefined
      if (left === 'C')
        return i > 1 && (words[i - 2]!.tag === 'J' || !clauseHasVerb(words, i)) ? 'J' : undefined
      return undefined
    },
  },
  {
    name: 'participle-verb',
    on: 'J',
    reason: 'any other participle is a verb',
    example: { caption: 'A house painted white', word: 'painted', tag: 'E' },
    decide({ word: { lower, may } }) {
      return (may & MAY.past) !== 0 && lower.endsWith('ed') ? 'E' : undefined
    },
  },
  {
    name: 'participle-after-be',
    on: 'NJ',
    reason: 'after "is" or "has", or before "with" and "up", a word such as "set" is a participle',
    example: { caption: 'A table is set with plates', word: 'set', tag: 'E' },
    decide({ word: { may }, words, i, left }) {
      if ((may & MAY.past) === 0 || (may & MAY.noun) === 0) return undefined
      if (left === 'A') return 'E'
      return 'NP'.includes(left) &&
        /^(?:with|up|in|on|out|by|for|at|against)$/.test(words[i + 1]?.lower ?? '')
        ? 'E'
        : undefined
    },
  },
  {
    name: 'noun-after-modifier',
    on: 'NVE',
    reason: 'after a determiner, number, adjective or preposition stands a noun',
    example: { caption: 'A man on a ride', word: 'ride', tag: 'N' },
    decide({ word: { lower, tag, may }, words, i, left }) {
      // "opening presents": no finite verb follows a participle.
      if (left === 'G') return tag === 'V' && (may & MAY.thirdPerson) !== 0 ? 'N' : undefined
      if (!'D#JSIM'.includes(left)) return undefined
      if (tag === 'E' && (may & MAY.noun) === 0) return undefined
      if (left === 'I' && VERBS.has(lower)) return undefined
      // "a bearded male stands": after "a", an -s form is no noun to be described.
      const isBeforeVerb = ((words[i + 1]?.may ?? 0) & MAY.thirdPerson) !== 0
      if (isBeforeVerb && ANIMATE.has(lower) && startsWithArticle(words, i)) return 'N'
      return (may & MAY.adjective) !== 0 && isBeforeNoun(words, i) ? 'J' : 'N'
    },
  },
  {
    name: 'verb-after-a-phrase',
    on: 'NV',
    reason: 'no plural can end a phrase that "a" began: the -s word is its verb',
    example: { caption: 'A cow and a brown bull stands', word: 'stands', tag: 'V' },
    decide({ word: { lower, may, isKnown }, words, i, left, next }) {
      if ((may & (MAY.thirdPerson | MAY.plural)) === 0 || !'NP'.includes(left)) return undefined
      if (!lower.endsWith('s') || lower.endsWith('ss')) return undefined
      const start = phraseStart(words, i)
      const isBeforeSingular = next === 'N' && (words[i + 1]!.may & MAY.plural) === 0
      if (start === i || !SINGULAR_ARTICLES.has(words[start]!.lower)) return undefined
      if (isBeforeSingular && !(isAfterAnimate(words, i) && isCommon(lower))) return undefined
      // "a tennis shoes": the slip is the article's where the word is known as a noun only.
      return (may & MAY.thirdPerson) !== 0 || !isKnown ? 'V' : undefined
    },
  },
  {
    name: 'verb-before-determiner',
    on: 'NV',
    reason: '"her son admires her skills": between a noun and a determiner stands a verb',
    example: { caption: 'Her son admires her skills', word: 'admires', tag: 'V' },
    decide({ word: { lower, may, isKnown }, words, i, left, next }) {
      if (!'NP'.includes(left) || !'DO'.includes(next)) return undefined
      if (/^(?:there|here|who)$/.test(words[i + 1]!.lower) || clauseHasVerb(words, i))
        return undefined
      const isThird = (may & (MAY.thirdPerson | MAY.plural)) !== 0 && lower.endsWith('s')
      const { mayBePlural, maySingular, isDetermined } = subjectNumber(words, i)
      if (isThird)
        return maySingular && (isDetermined || (may & MAY.thirdPerson) !== 0) ? 'V' : undefined
      const isUnknown = !isKnown && isDetermined && !lower.endsWith('s')
      return mayBePlural && ((may & MAY.base) !== 0 || isUnknown) ? 'V' : undefined
    },
  },
  {
    name: 'bare-infinitive',
    on: 'NV',
    reason: '"helps a boy climb": what the object of such a verb does',
    example: { caption: 'A man helps a small boy climb', word: 'climb', tag: 'V' },
    decide({ word: { lower, may }, words, i }) {
      if ((may & MAY.base) === 0 || nounFirst.has(lower) || !isAfterAnimate(words, i))
        return undefined
      const start = phraseStart(words, i)
      return CAUSATIVES.has(words[start - 1]?.lower ?? '') && tagBefore(words, start) !== ''
        ? 'V'
        : undefined
    },
  },
  {
    name: 'adjective-after-be',
    on: 'N',
    reason: '"the sky is greyblue": an unknown word alone after "is" describes',
    example: { caption: 'The sky is very greyblue', word: 'greyblue', tag: 'J' },
    decide({ word: { may, isKnown }, words, i, left }) {
      if (isKnown || may !== MAY.noun || !endsPhrase(words, i)) return undefined
      const verb = left === 'R' ? i - 2 : i - 1
      return BE.has(words[verb]?.lower ?? '') && tagBefore(words, verb + 1) === 'A'
        ? 'J'
        : undefined
    },
  },
  {
    name: 'verb-by-agreement',
    on: 'NV',
    reason: 'a plural subject takes the base form, a singular one the -s form',
    example: { caption: 'Two dogs play', word: 'play', tag: 'V' },
    decide({ word: { lower, may }, words, i, left, next }) {
      if (!'NP'.includes(left) || (may & VERBAL) === 0) return undefined
      if (MATERIALS.has(words[i - 1]!.lower)) return 'N'
      const isOnlyVerb = (may & (MAY.noun | MAY.plural | MAY.name)) === 0
      const subject = subjectNumber(words, i)
      const { mayBePlural, maySingular, isNearest, isNearestPlural, isDetermined } = subject
      if (clauseHasVerb(words, i)) return isOnlyVerb && VERBS.has(lower) ? 'V' : 'N'
      const ends = endsPhrase(words, i)
      if ((may & MAY.base) !== 0) {
        if (!mayBePlural) return 'N'
        // "a scarf and a nose ring": things that "and" joins seldom do something at the end.
        if (!isNearestPlural && !isOnlyVerb && next === '.' && !isAfterAnimate(words, i)) return 'N'
        const isWeak = nounFirst.has(lower) && !isNearestPlural
        if (isWeak && (ends || next === 'N')) return 'N'
        if (isNearest || isOnlyVerb || (isNearestPlural && isCommon(lower))) return 'V'
        return ends && isCommon(lower) && next !== '.' ? 'V' : 'N'
      }
      if (isOnlyVerb || (maySingular && isNearest && next === 'T')) return 'V'
      if (!maySingular) return 'N'
      if (!isNearest && isNearestPlural) return 'V'
      const hasMore = next !== '.' && next !== 'C'
      if (!ends) return 'N'
      if (isNearest && isDetermined) return next !== '.' || isCommon(lower) ? 'V' : 'N'
      return hasMore && isCommon(lower) ? 'V' : 'N'
    },
  },
  {
    name: 'verb-after-and',
    on: 'NV',
    reason: '"and" joins a second verb to the first',
    example: { caption: 'A man sits and looks at a dog', word: 'looks', tag: 'V' },
    decide({ word: { lower, may }, words, i, left, next }) {
      if (left !== 'C' || (may & VERBAL) === 0) return undefined
      if (nounFirst.has(lower) || !isCommon(lower)) return undefined
      return clauseHasVerb(words, i) && 'DITRO'.includes(next) ? 'V' : undefined
    },
  },
  {
    name: 'verb-after-comma',
    on: 'NV',
    reason: '"a man, in uniform, looks at a dog": the verb of a subject that an insertion follows',
    example: { caption: 'A man, in full uniform, looks at a dog', word: 'looks', tag: 'V' },
    decide({ word: { lower, may, gap }, words, i, next }) {
      if (gap !== 'comma' || (may & MAY.thirdPerson) === 0) return undefined
      if (!isCommon(lower) && next !== 'T') return undefined
      if (clauseHasVerb(words, i) || words.slice(0, i).every(({ tag }) => tag !== 'N'))
        return undefined
      return 'IRTD'.includes(next) && words[i + 1]!.lower !== 'of' ? 'V' : undefined
    },
  },
  {
    name: 'verb-after-adverb',
    on: 'NV',
    reason: 'an adverb after the subject stands before its verb',
    example: { caption: 'A mother quietly works', word: 'works', tag: 'V' },
    decide({ word: { may }, words, i, left }) {
      if (left !== 'R' || (may & VERBAL) === 0 || i < 2) return undefined
      const before = tagBefore(words, i - 1)
      const { lower } = words[i - 2]!
      if (before === 'T' || (before === 'A' && !BE.has(lower) && !HAVE.has(lower))) return 'V'
      return 'NPO'.includes(before || 'X') && !clauseHasVerb(words, i) ? 'V' : undefined
    },
  },
  {
    name: 'imperative',
    on: 'NV',
    reason: 'at the start, before a determiner or pronoun, a base form is a command',
    example: { caption: 'Check this out', word: 'Check', tag: 'V' },
    decide({ word: { lower, may, gap }, words, i, next }) {
      if ((may & MAY.base) === 0) return undefined
      if (/^(?:please|let's|lets)$/.test(words[i - 1]?.lower ?? '')) return 'V'
      if (gap !== 'break' || lower === 'close') return undefined
      return next === 'D' ||
        next === 'T' ||
        (next === 'O' && !/^(?:there|here)$/.test(words[i + 1]!.lower))
        ? 'V'
        : undefined
    },
  },
  {
    name: 'adjective-as-noun',
    on: 'J',
    reason:
      'an adjective with no noun after it: a thing if it may be one, or if "a" or "the" begins it',
    example: { caption: 'A man in the dark', word: 'dark', tag: 'N' },
    decide({ word: { lower, may }, words, i, left, next }) {
      if (isBeforeNoun(words, i) || next === 'C') return undefined
      if (COLOURS.has(lower) && left === 'I') return undefined
      if (left === '.' && next === '.') return undefined
      if ((may & MAY.noun) !== 0) return left === 'A' || left === 'R' ? undefined : 'N'
      if (COLOURS.has(lower) && left !== 'D') return undefined
      if (/est$/.test(lower)) return undefined
      // "a long strip", "a grassy plain": the word after it is the noun.
      if (next === 'V' || next === 'J') return undefined
      if (left === 'J' && !COLOURS.has(lower))
        return startsWithArticle(words, i) && (next === '.' || next === 'I') ? 'N' : undefined
      return left === 'D' && next !== 'G' && !DEGREE.has(words[i - 1]!.lower) ? 'N' : undefined
    },
  },
  {
    name: 'noun-as-adjective',
    on: 'N',
    reason: 'a word that may be an adjective describes the noun after it',
    example: { caption: 'Male nurse in a room', word: 'Male', tag: 'J' },
    decide({ word: { may }, words, i }) {
      return (may & MAY.adjective) !== 0 && isBeforeNoun(words, i) ? 'J' : undefined
    },
  },
]
