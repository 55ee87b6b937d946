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

/** Classes of words that name, describe or do: the open ones, and numbers. */
type ContentTag = 'N' | 'P' | 'S' | '#' | 'J' | 'M' | 'V' | 'G' | 'E'

/**
 * Word class: D determiner, # number, J adjective, N noun, P proper noun, S possessive noun, V finite
 * or base verb, G verb in -ing, E past or participle, A auxiliary, T to, I preposition, C and/or,
 * K other conjunction, O pronoun, W relative word, R adverb, M participle after its noun
 * ("snow covered"), X anything else.
 */
export type Tag = ContentTag | 'D' | 'A' | 'T' | 'I' | 'C' | 'K' | 'O' | 'W' | 'R' | 'X'

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
      const all = may | this.#mayOf(word)
      const old = this.#words.get(word)?.tag
      this.#words.set(
        word,
        known((all & MAY.gerund) !== 0 && old === 'V' ? 'G' : (old ?? tagOf(may)), all),
      )
    }
  }

  #addOwn(): void {
    const add = (words: Iterable<string>, entry: Entry) => {
      for (const word of words) this.#words.set(word, entry)
    }
    const widen = (words: Iterable<string>, may: number) => {
      for (const word of words) {
        const all = may | this.#mayOf(word)
        this.#words.set(word, known(tagOf(all), all))
      }
    }
    const withS = (words: Iterable<string>) => [...words].map(addS)
    const nouns = [...MATERIALS, ...NOUNS]
    widen(nouns, MAY.noun)
    widen(withS(nouns), MAY.plural)
    add(VERBS, known('V', MAY.base))
    add(withS(VERBS), known('V', MAY.thirdPerson))
    add(NOUN_OR_VERB, known('N', MAY.noun | MAY.base))
    add(withS(NOUN_OR_VERB), known('N', MAY.plural | MAY.thirdPerson))
    add(IRREGULAR_PASTS, known('E', MAY.past))
    widen(IRREGULAR_PARTICIPLES, MAY.past)
    widen(ADJECTIVES, MAY.adjective)
    add(COLOURS, known('J', MAY.adjective))
    add(['light', 'orange'], known('J', MAY.adjective | MAY.noun))
    add(LY_ADJECTIVES, known('J', MAY.adjective))
    for (const word of ING_THINGS) widen([word], word.endsWith('s') ? MAY.plural : MAY.noun)
    add(ADVERBS, known('R', MAY.adverb))
    add(AUXILIARIES, known('A'))
    add(PRONOUNS, known('O'))
    add(CONJUNCTIONS, known('K'))
    add(COORDINATORS, known('C'))
    add(PREPOSITIONS, known('I'))
    add(NUMBERS, known('#'))
    add(DETERMINERS, known('D'))
    add(RELATIVES, known('W'))
    add(['to'], known('T'))
  }

  /** "arrives" is a verb alone, "dishes" a plural as well: its singular may be a noun. */
  #settleThirdPersons(lexicon: CompromiseModel['one']['lexicon']): void {
    const either = new Set([...NOUN_OR_VERB].map(addS))
    for (const [word, tags] of Object.entries(lexicon)) {
      const entry = this.#words.get(word)
      if (entry?.may !== (MAY.thirdPerson | MAY.plural) || ![tags].flat().includes('PresentTense'))
        continue
      const stems = this.#singulars(word).flatMap((one) => this.#words.get(one) ?? [])
      const isNoun = stems.some(({ may }) => (may & (MAY.noun | MAY.name)) !== 0)
      if (isNoun || stems.length === 0 || either.has(word)) continue
      this.#words.set(word, known('V', MAY.thirdPerson))
    }
  }

  /** "chewing" is a noun in the lexicon; where there is a verb, the context decides. */
  #settleGerunds(): void {
    for (const [word, { tag, may, isKnown }] of this.#words) {
      if (tag !== 'N' || !word.endsWith('ing') || (may & MAY.gerund) !== 0) continue
      const stem = word.slice(0, -3)
      const isVerb = [stem, `${stem}e`, stem.replace(/(.)\1$/, '$1')].some(
        (one) => (this.#mayOf(one) & MAY.base) !== 0,
      )
      if (isVerb) this.#words.set(word, { tag, may: may | MAY.gerund, isKnown })
    }
  }

  #guess(lower: string): Entry {
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
      const [stem] = this.#singulars(lower).flatMap((one) => this.#words.get(one) ?? [])
      if (stem !== undefined) {
        const isNoun = (stem.may & (MAY.noun | MAY.name | MAY.adjective)) !== 0 || stem.tag === '#'
        const isVerb = (stem.may & MAY.base) !== 0
        if (isVerb && !isNoun) return guessed('V', MAY.thirdPerson)
        if (isVerb) return guessed('N', MAY.plural | MAY.thirdPerson)
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
    if (last === undefined) return guessed('X', 0)
    const entry = this.lookUp(last)
    const first = this.lookUp(parts[0]!)
    const isModifier = 'JEGA#IR'.includes(entry.tag) || first.tag === '#'
    if (parts.length > 1 && isModifier) return guessed('J', MAY.adjective)
    const may = entry.may & (MAY.noun | MAY.plural)
    return guessed('N', may === 0 ? MAY.noun : may)
  }

  /** 0 for an unknown word. */
  #mayOf(word: string): number {
    return this.#words.get(word)?.may ?? 0
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

function known(tag: Tag, may = 0): Entry {
  return { tag, may, isKnown: true }
}

function guessed(tag: Tag, may: number): Entry {
  return { tag, may, isKnown: false }
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
