// Which captions are read at all. Each refusal has a reason code; nothing is cut silently.

import type { ReasonCode } from '../core/reasons.ts'
import type { CleanCaption } from './clean.ts'
import type { Lexicon } from './lexicon.ts'
import type { CaptionOptions } from './options.ts'
import type { Token } from './tokenize.ts'
import { ENGLISH_WORDS, FOREIGN_LETTERS, FOREIGN_WORDS } from './words/foreign.ts'

/** Why a caption is not read. */
export interface Refusal {
  readonly code: ReasonCode
  readonly detail: string
}

/** Tokens of BERT that would be read as such inside a caption. */
const SPECIAL_TOKEN = /\[(?:CLS|SEP|PAD|UNK|MASK)\]/i
// Digits, # and * are \p{Emoji} too; these are not.
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}/u
const NO_ASCII = /[^\p{ASCII}]/u

/** What can be said before the caption is cleaned. */
export function refuseSource(caption: string, options: CaptionOptions): Refusal | undefined {
  if (caption.length > options.maxChars) {
    return {
      code: 'caption_too_long',
      detail: `${caption.length} UTF-16 units; caption.maxChars is ${options.maxChars}`,
    }
  }
  if (caption.trim() === '') return { code: 'caption_empty', detail: 'nothing but space' }
  const token = options.dropSpecialTokens ? SPECIAL_TOKEN.exec(caption)?.[0] : undefined
  if (token !== undefined) return { code: 'caption_special_token', detail: `contains ${token}` }
  return undefined
}

/** What can be said of the cleaned caption and its words. */
export function refuseCleaned(
  { mapped: { text: caption }, applied }: CleanCaption,
  tokens: readonly Token[],
  lexicon: Lexicon,
  options: CaptionOptions,
): Refusal | undefined {
  if (tokens.length === 0) {
    const after = applied.length === 0 ? '' : ` after ${applied.join(', ')}`
    return { code: 'caption_boilerplate', detail: `no word is left${after}` }
  }
  const script = options.lang === 'en' ? refuseScript(caption) : undefined
  if (script !== undefined) return script
  if (tokens.length < options.minWords) {
    return {
      code: 'caption_too_short',
      detail: `${tokens.length} words; caption.minWords is ${options.minWords}`,
    }
  }
  if (tokens.length > options.maxWords) {
    return {
      code: 'caption_too_long',
      detail: `${tokens.length} words; caption.maxWords is ${options.maxWords}`,
    }
  }
  if (options.asciiOnly) {
    const odd = NO_ASCII.exec(caption)?.[0]
    if (odd !== undefined) return { code: 'caption_not_ascii', detail: `contains ${show(odd)}` }
  }
  if (options.dropEmoji) {
    const emoji = EMOJI.exec(caption)?.[0]
    if (emoji !== undefined) return { code: 'caption_emoji', detail: `contains ${show(emoji)}` }
  }
  return options.lang === 'en' ? refuseLanguage(tokens, lexicon) : undefined
}

function show(character: string): string {
  const point = character.codePointAt(0)!
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')}`
}

/** Another script in most letters. */
function refuseScript(caption: string): Refusal | undefined {
  if (!NO_ASCII.test(caption)) return undefined
  const letters = caption.match(/\p{L}/gu)?.length ?? 0
  const latin = caption.match(/\p{Script=Latin}/gu)?.length ?? 0
  return latin * 2 < letters
    ? { code: 'caption_script', detail: `${latin} of ${letters} letters are Latin` }
    : undefined
}

/** More signs of another language than of English. */
function refuseLanguage(tokens: readonly Token[], lexicon: Lexicon): Refusal | undefined {
  let score = 0
  const signs: string[] = []
  for (const { lower } of tokens) {
    if (ENGLISH_WORDS.has(lower)) score--
    else if (FOREIGN_WORDS.has(lower) || FOREIGN_LETTERS.test(lower)) {
      score++
      signs.push(lower)
    }
  }
  if (score <= 0) return undefined
  const unknown = tokens.filter(
    ({ lower }) => !FOREIGN_WORDS.has(lower) && !lexicon.knows(lower),
  ).length
  if (score === 1 && unknown * 2 < tokens.length - signs.length) return undefined
  return { code: 'caption_language', detail: `not English: ${signs.slice(0, 5).join(', ')}` }
}
