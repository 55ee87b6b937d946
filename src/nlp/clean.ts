// A source caption to the caption that is stored: cleaned by the rules of clean-rules.ts, with every
// character's place in the source kept.

import { CLEAN_RULES, type CleanRule } from './clean-rules.ts'
import { MappedText } from './mapped-text.ts'
import type { CaptionOptions } from './options.ts'
import { cutSpeculation } from './speculation.ts'

export interface CleanCaption {
  /** Begins and ends with a character that is no space. */
  readonly mapped: MappedText
  /** Names of the rules that changed something, in order. */
  readonly applied: readonly string[]
}

/** White space of any kind, and control characters, in a row or alone where they are not one space. */
const SPACES = /[\s\p{Cc}]{2,}|(?! )[\s\p{Cc}]/gu
const AROUND = /^[\s\p{Cc}]+|(?<![\s\p{Cc}])[\s\p{Cc}]+$/gu
const PLACEHOLDER = /<(?:PERSON|PER|NAME)>/g
const SPACED_HYPHEN = /(?<=[\p{L}\p{N}]) - (?=[\p{L}\p{N}])/gu

/** @returns a pure function of the source caption */
export function createCleaner(options: CaptionOptions): (caption: string) => CleanCaption {
  const rules = CLEAN_RULES.filter(
    ({ level }) => options.clean === 'alt-text' || options.clean === level,
  )
  return (caption) => {
    const applied: string[] = []
    let mapped = new MappedText(caption)
    const step = (name: string, next: MappedText) => {
      if (next !== mapped && next.text !== mapped.text) applied.push(name)
      mapped = next
    }
    for (const rule of rules) step(rule.name, applyCleanRule(mapped, rule))
    step(
      'placeholder',
      mapped.replace(PLACEHOLDER, options.personToken === 'person' ? 'person' : ' '),
    )
    if (options.joinSpacedHyphens) step('spaced-hyphen', mapped.replace(SPACED_HYPHEN, '-'))
    if (options.dropSpeculative) step('speculation', cutSpeculation(mapped))
    if (options.clean !== 'none') step('spaces', mapped.replace(SPACES, ' '))
    step('trim', mapped.replace(AROUND, ''))
    return { mapped, applied }
  }
}

export function applyCleanRule(text: MappedText, rule: CleanRule): MappedText {
  return text.replace(rule.pattern, rule.replacement)
}
