// What a word can be, before its context is looked at: closed classes and own lists first, then
// compromise's lexicon and its lists of ambiguous words, then the ending. Tables are read once at
// start-up, which makes a look-up some hundred times cheaper than tagging with compromise itself.

import nlp from 'compromise/two'
import {
  ADVERBS,
  AUXILIARIES,
  CONJUNCTIONS,
  COORDINATORS,
  DETERMINERS,
  NUMBERS,
  PREPOSITIONS,
  PRONOUNS,
  RELATIVES,
} from './words/closed.ts'
import { list } from './words/list.ts'
import { ADJECTIVES, COLOURS, LY_ADJECTIVES } from './words/adjectives.ts'
import { MATERIALS, NOUNS, NOUN_OR_VERB } from './words/nouns.ts'
import { ING_THINGS, IRREGULAR_PARTICIPLES, IRREGULAR_PASTS, VERBS } from './words/verbs.ts'

/**
 * Word class: D determiner, # number, J adjective, N noun, P proper noun, S possessive noun, V finite
 * or base verb, G verb in -ing, E past or participle, A auxiliary, T to, I preposition, C and/or,
 * K other conjunction, O pronoun, W relative word, R adverb, M participle after its noun
 * ("snow covered"), X anything else.
 */
export type Tag =
  | 'D'
  | '#'
  | 'J'
  | 'N'
  | 'P'
  | 'S'
  | 'V'
  | 'G'
  | 'E'
  | 'A'
  | 'T'
  | 'I'
  | 'C'
  | 'K'
  | 'O'
  | 'W'
  | 'R'
  | 'M'
  | 'X'

/** What a word may be; bits, so that rules ask for several at once. */
export const MAY = {
  noun: 1,
  plural: 2,
  base: 4,
  thirdPerson: 8,
  adjective: 16,
  gerund: 32,
  past: 64,
  adverb: 128,
  name: 256,
} as const

/** What the lexicon says of a word. */
export interface Entry {
  /** The likeliest class. */
  readonly tag: Tag
  /** Bits of MAY. */
  readonly may: number
  /** From a list or the lexicon, not guessed from the ending. */
  readonly isKnown: boolean
}

/** Tags of compromise, by what they are here. */
const FROM_COMPROMISE = new Map(
  (
    [
      ['N', MAY.noun, 'Singular Uncountable Noun Actor Unit Duration Date Currency'],
      ['P', MAY.name | MAY.noun, 'WeekDay Month'],
      ['N', MAY.plural, 'Plural'],
      ['J', MAY.adjective, 'Adjective Comparative Superlative'],
      ['J', MAY.adjective | MAY.noun, 'Demonym'],
      ['V', MAY.base, 'Infinitive Verb'],
      // A plural too, unless no noun has it; see #settleThirdPersons.
      ['N', MAY.thirdPerson | MAY.plural, 'PresentTense'],
      ['E', MAY.past, 'PastTense Participle'],
      ['G', MAY.gerund, 'Gerund'],
      ['R', MAY.adverb, 'Adverb'],
      ['I', 0, 'Preposition'],
      ['K', 0, 'Conjunction'],
      ['#', 0, 'TextValue'],
      ['X', 0, 'Expression'],
      [
        'P',
        MAY.name,
        'Honorific FemaleName MaleName FirstName LastName Person City Country Region',
      ],
      ['P', MAY.name, 'Place Organization SportsTeam ProperNoun'],
    ] as const
  ).flatMap(([tag, may, names]) => list(names).map((name) => [name, { tag, may }] as const)),
)

/** compromise's classes of words that only their context can decide. */
const SWITCHES: Readonly<Record<string, number>> = {
  'Noun|Verb': MAY.noun | MAY.base,
  'Plural|Verb': MAY.plural | MAY.thirdPerson,
  'Actor|Verb': MAY.noun | MAY.base,
  'Adj|Noun': MAY.adjective | MAY.noun,
  'Adj|Past': MAY.adjective | MAY.past,
  'Adj|Gerund': MAY.adjective | MAY.gerund,
  'Noun|Gerund': MAY.noun | MAY.gerund,
  'Adj|Present': MAY.adjective | MAY.base,
  'Person|Noun': MAY.noun | MAY.name,
  'Person|Verb': MAY.base | MAY.name,
  'Person|Adj': MAY.adjective | MAY.name,
  'Person|Place': MAY.name,
  'Person|Date': MAY.name | MAY.noun,
  'Unit|Noun': MAY.noun,
}

/** Known words beyond which guesses are made anew; bounds memory on hostile captions. */
const MAX_GUESSES = 50_000

/** The parts of compromise's model that are read; undocumented there, so checked when read. */
interface CompromiseModel {
  readonly one: { readonly lexicon: Readonly<Record<string, string | readonly string[]>> }
  readonly two: {
    readonly switches: Readonly<Record<string, string>>
    readonly suffixPatterns: readonly (Readonly<Record<string, string>> | null)[]
  }
}

/** Known words and guesses; to make one takes some 100 ms, a look-up less than a microsecond. */
export class Lexicon {
  readonly #words = new Map<string, Entry>()
  readonly #guesses = new Map<string, Entry>()
  readonly #suffixes: CompromiseModel['two']['suffixPatterns']

  constructor() {
    const model = readModel()
    this.#suffixes = model.two.suffixPatterns
    this.#addCompromise(model)
    this.#addOwn()
    this.#settleThirdPersons(model.one.lexicon)
    this.#settleGerunds()
  }

  /** @param lower lower case, as a token has it */
  lookUp(lower: string): Entry {
    const known = this.#words.get(lower) ?? this.#guesses.get(lower)
    if (known !== undefined) return known
    if (this.#guesses.size >= MAX_GUESSES) this.#guesses.clear()
    const guess = this.#guess(lower)
    this.#guesses.set(lower, guess)
    return guess
  }

  /** Whether the word, or its singular, stands in a list. */
  knows(lower: string): boolean {
    return this.#words.has(lower) || this.#singulars(lower).some((one) => this.#words.has(one))
  }

  #addCompromise({ one, two }: CompromiseModel): void {
    for (const [word, tags] of Object.entries(one.lexicon)) {
      if (word.includes(' ')) continue
      const [entry] = [tags].flat().flatMap((tag) => FROM_COMPROMISE.get(tag) ?? [])
      if (entry !== undefined) this.#words.set(word, { ...entry, isKnown: true })
    }
    for (const [word, kind] of Object.entries(two.switches)) {
      const may = SWITCHES[kind] ?? 0
      const old = this.#words.get(word)
      const all = may | (old?.may ?? 0)
      const tag = (all & MAY.gerund) !== 0 && old?.tag === 'V' ? 'G' : (old?.tag ?? tagOf(may))
      this.#words.set(word, { tag, may: all, isKnown: true })
    }
  }

  #addOwn(): void {
    const add = (words: readonly string[], tag: Tag, may: number) => {
      for (const word of words) this.#words.set(word, { tag, may, isKnown: true })
    }
    const widen = (words: readonly string[], may: number) => {
      for (const word of words) {
        const old = this.#words.get(word)
        this.#words.set(word, {
          tag: tagOf(may | (old?.may ?? 0)),
          may: may | (old?.may ?? 0),
          isKnown: true,
        })
      }
    }
    const nouns = [...MATERIALS, ...NOUNS]
    widen(nouns, MAY.noun)
    for (const noun of nouns) widen([addS(noun)], MAY.plural)
    add(VERBS, 'V', MAY.base)
    for (const verb of VERBS) add([addS(verb)], 'V', MAY.thirdPerson)
    add(NOUN_OR_VERB, 'N', MAY.noun | MAY.base)
    for (const word of NOUN_OR_VERB) add([addS(word)], 'N', MAY.plural | MAY.thirdPerson)
    add(IRREGULAR_PASTS, 'E', MAY.past)
    widen(IRREGULAR_PARTICIPLES, MAY.past)
    widen(ADJECTIVES, MAY.adjective)
    add(COLOURS, 'J', MAY.adjective)
    add(['light', 'orange'], 'J', MAY.adjective | MAY.noun)
    add(LY_ADJECTIVES, 'J', MAY.adjective)
    for (const word of ING_THINGS) widen([word], word.endsWith('s') ? MAY.plural : MAY.noun)
    add(ADVERBS, 'R', MAY.adverb)
    add(AUXILIARIES, 'A', 0)
    add(PRONOUNS, 'O', 0)
    add(CONJUNCTIONS, 'K', 0)
    add(COORDINATORS, 'C', 0)
    add(PREPOSITIONS, 'I', 0)
    add(NUMBERS, '#', 0)
    add(DETERMINERS, 'D', 0)
    add(RELATIVES, 'W', 0)
    add(['to'], 'T', 0)
  }

  /** "arrives" is a verb alone, "dishes" a plural as well: its singular may be a noun. */
  #settleThirdPersons(lexicon: CompromiseModel['one']['lexicon']): void {
    const either = new Set(NOUN_OR_VERB.map(addS))
    for (const [word, tags] of Object.entries(lexicon)) {
      const entry = this.#words.get(word)
      if (entry?.may !== (MAY.thirdPerson | MAY.plural) || ![tags].flat().includes('PresentTense'))
        continue
      const stems = this.#singulars(word).flatMap((one) => this.#words.get(one) ?? [])
      const isNoun = stems.some(({ may }) => (may & (MAY.noun | MAY.name)) !== 0)
      if (isNoun || stems.length === 0 || either.has(word)) continue
      this.#words.set(word, { tag: 'V', may: MAY.thirdPerson, isKnown: true })
    }
  }

  /** "chewing" is a noun in the lexicon; where there is a verb, the context decides. */
  #settleGerunds(): void {
    for (const [word, { tag, may, isKnown }] of this.#words) {
      if (tag !== 'N' || !word.endsWith('ing') || (may & MAY.gerund) !== 0) continue
      const stem = word.slice(0, -3)
      const isVerb = [stem, `${stem}e`, stem.replace(/(.)\1$/, '$1')].some(
        (one) => ((this.#words.get(one)?.may ?? 0) & MAY.base) !== 0,
      )
      if (isVerb) this.#words.set(word, { tag, may: may | MAY.gerund, isKnown })
    }
  }

  #guess(lower: string): Entry {
    const guessed = (tag: Tag, may: number): Entry => ({ tag, may, isKnown: false })
    if (/^[$'+~]?\d/.test(lower) && !lower.includes('@')) {
      return /^[$']?[\d.,:/%x-]+(?:st|nd|rd|th|k|m|am|pm|s|'s)?$/.test(lower)
        ? guessed('#', 0)
        : guessed('J', MAY.adjective)
    }
    if (/[@/]|\w\.\w\w/.test(lower)) return guessed('P', MAY.name)
    if (/'s?$/.test(lower)) return guessed('S', 0)
    if (/'(?:re|ll|ve|d|m)$|n't$/.test(lower)) return guessed('A', 0)
    if (lower.includes('-')) return this.#guessCompound(lower)
    if (lower.length > 4 && lower.endsWith('ing') && /[aeiouy].*ing$/.test(lower))
      return guessed('G', MAY.gerund)
    if (lower.length > 4 && lower.endsWith('ed') && !lower.endsWith('eed'))
      return guessed('E', MAY.past)
    if (lower.length > 4 && lower.endsWith('ly')) return guessed('R', MAY.adverb)
    if (lower.length > 3 && lower.endsWith('s') && !/(?:ss|us|is)$/.test(lower)) {
      const stem = this.#singulars(lower)
        .map((one) => this.#words.get(one))
        .find((one) => one !== undefined)
      if (stem !== undefined) {
        const isNoun = (stem.may & (MAY.noun | MAY.name | MAY.adjective)) !== 0 || stem.tag === '#'
        const isVerb = (stem.may & MAY.base) !== 0
        if (isVerb)
          return {
            tag: isNoun ? 'N' : 'V',
            may: (isNoun ? MAY.plural : 0) | MAY.thirdPerson,
            isKnown: false,
          }
      }
      return guessed('N', MAY.plural)
    }
    if (lower.length > 5 && /(?:able|ible|ous|ful|less|ish)$/.test(lower))
      return guessed('J', MAY.adjective)
    const suffix = this.#suffixTag(lower)
    if (suffix === 'Adjective') return guessed('J', MAY.adjective)
    if (suffix === 'Adverb') return guessed('R', MAY.adverb)
    if (suffix === 'Infinitive') return guessed('N', MAY.noun | MAY.base)
    if (suffix === 'PastTense' || suffix === 'Participle') return guessed('N', MAY.noun | MAY.past)
    return guessed('N', MAY.noun)
  }

  /** "hand-painted", "three-story", "black-haired", "t-shirt": the last part decides. */
  #guessCompound(lower: string): Entry {
    const parts = lower.split('-').filter((part) => part !== '')
    const last = parts.at(-1)
    if (last === undefined) return { tag: 'X', may: 0, isKnown: false }
    const entry = this.lookUp(last)
    const first = this.lookUp(parts[0]!)
    const isModifier = 'JEGA#IR'.includes(entry.tag) || first.tag === '#'
    if (parts.length > 1 && isModifier) return { tag: 'J', may: MAY.adjective, isKnown: false }
    const may = entry.may & (MAY.noun | MAY.plural)
    return { tag: 'N', may: may === 0 ? MAY.noun : may, isKnown: false }
  }

  #singulars(lower: string): readonly string[] {
    const stems = [lower.slice(0, -1)]
    if (lower.endsWith('es')) stems.push(lower.slice(0, -2))
    if (lower.endsWith('ies')) stems.push(`${lower.slice(0, -3)}y`)
    return stems
  }

  #suffixTag(lower: string): string | undefined {
    for (let length = Math.min(7, lower.length - 1); length >= 2; length--) {
      const tag = this.#suffixes[length]?.[lower.slice(-length)]
      if (tag !== undefined) return tag
    }
    return undefined
  }
}

function tagOf(may: number): Tag {
  if (may & (MAY.noun | MAY.plural)) return 'N'
  if (may & MAY.adjective) return 'J'
  if (may & MAY.gerund) return 'G'
  if (may & MAY.past) return 'E'
  if (may & (MAY.base | MAY.thirdPerson)) return 'V'
  if (may & MAY.name) return 'P'
  return 'R'
}

/** The -s form of a noun or verb. */
export function addS(word: string): string {
  if (/(?:s|x|z|ch|sh)$/.test(word)) return `${word}es`
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`
  return `${word}s`
}

function readModel(): CompromiseModel {
  const model = nlp.model() as unknown as Partial<CompromiseModel>
  if (
    model.one?.lexicon === undefined ||
    model.two?.switches === undefined ||
    model.two.suffixPatterns === undefined
  ) {
    throw new Error('compromise has another model than expected; version 14.17.0 is known to work')
  }
  return model as CompromiseModel
}
