// A source caption to the caption that is stored: cleaned by the rules of clean-rules.ts and composed
// (Unicode NFC), with every character's place in the source kept.

import { CLEAN_RULES, type CleanRule } from './clean-rules.ts'
import { MappedText } from './mapped-text.ts'
import type { CaptionOptions } from './options.ts'
import { cutSpeculation } from './speculation.ts'

/** A caption as it is stored, and how it became so. */
export interface CleanCaption {
  /** Begins and ends with a character that is no space. */
  readonly mapped: MappedText
  /** Names of the rules that changed something, in order. */
  readonly applied: readonly string[]
}

/** White space of any kind, and control characters, in a row or alone where they are not one space. */
const SPACES = /[\s\p{Cc}]{2,}|(?! )[\s\p{Cc}]/gu
const AROUND = /^[\s\p{Cc}]+|(?<![\s\p{Cc}])[\s\p{Cc}]+$/gu
/** A character with what may be composed with it: marks, and the vowels and finals of Hangul. */
const COMPOSED = /[^][\p{M}\u1160-\u11ff\u{16d63}\u{16d67}]*/gu
const PLACEHOLDER = /<(?:PERSON|PER|NAME)>/g
const SPACED_HYPHEN = /(?<=[\p{L}\p{N}]) - (?=[\p{L}\p{N}])/gu

/** @returns a pure function of the source caption */
export function createCleaner(options: CaptionOptions): (caption: string) => CleanCaption {
  const rules = CLEAN_RULES.filter(
    ({ name, level }) =>
      (options.clean === 'alt-text' || options.clean === level) &&
      !options.skipRules.includes(name),
  )
  return (caption) => {
    const applied: string[] = []
    let mapped = new MappedText(caption)
    const step = (name: string, next: MappedText) => {
      if (next !== mapped && next.text !== mapped.text) applied.push(name)
      mapped = next
    }
    // The rules know composed letters, and what they take out may bring an accent to another letter.
    const compose = () => {
      if (options.nfc) step('nfc', toNfc(mapped))
    }
    compose()
    for (const rule of rules) step(rule.name, applyCleanRule(mapped, rule))
    step(
      'placeholder',
      mapped.replace(PLACEHOLDER, options.personToken === 'person' ? 'person' : ' '),
    )
    if (options.joinSpacedHyphens) step('spaced-hyphen', mapped.replace(SPACED_HYPHEN, '-'))
    if (options.dropSpeculative) step('speculation', cutSpeculation(mapped))
    if (options.clean !== 'none') step('spaces', mapped.replace(SPACES, ' '))
    step('trim', mapped.replace(AROUND, ''))
    compose()
    return { mapped, applied }
  }
}

/** One rule alone, as `--explain` and the tests of the rules see it. */
export function applyCleanRule(text: MappedText, rule: CleanRule): MappedText {
  return text.replace(rule.pattern, rule.replacement)
}

/** The text as `normalize('NFC')` gives it. */
export function toNfc(text: MappedText): MappedText {
  if (text.text === text.text.normalize('NFC')) return text
  return text.replace(COMPOSED, ([match]) => match.normalize('NFC'))
}
