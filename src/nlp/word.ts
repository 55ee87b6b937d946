// A word of a caption with its class.

import type { Tag } from './lexicon.ts'
import type { Token } from './tokenize.ts'

/** A word whose class is being decided. */
export interface Word extends Token {
  tag: Tag
  /** Bits of MAY. */
  readonly may: number
  readonly isKnown: boolean
  /** Name of the rule that decided, for --explain. */
  rule: string
}
