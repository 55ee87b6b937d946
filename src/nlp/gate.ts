// Which captions are read at all. Each refusal has a reason code; nothing is cut silently.

import type { ReasonCode } from '../core/reasons.ts'
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

/** A cleaned caption with its words. */
interface Cleaned {
  readonly text: string
  /** Names of the rules that changed something. */
  readonly cleaned: readonly string[]
  readonly tokens: readonly Token[]
}

/** What can be said of the cleaned caption and its words. */
export function createGate(options: CaptionOptions, lexicon: Lexicon) {
  const { lang, minWords, maxWords, asciiOnly, dropEmoji } = options
  return ({ text, cleaned, tokens }: Cleaned): Refusal | undefined => {
    const { length } = tokens
    if (length === 0) {
      const after = cleaned.length === 0 ? '' : ` after ${cleaned.join(', ')}`
      return { code: 'caption_boilerplate', detail: `no word is left${after}` }
    }
    const script = lang === 'en' ? refuseScript(text) : undefined
    if (script !== undefined) return script
    if (length < minWords) {
      const detail = `${length} words; caption.minWords is ${minWords}`
      return { code: 'caption_too_short', detail }
    }
    if (length > maxWords) {
      return {
        code: 'caption_too_long',
        detail: `${length} words; caption.maxWords is ${maxWords}`,
      }
    }
    const odd = asciiOnly ? NO_ASCII.exec(text)?.[0] : undefined
    if (odd !== undefined) return { code: 'caption_not_ascii', detail: `contains ${show(odd)}` }
    const emoji = dropEmoji ? EMOJI.exec(text)?.[0] : undefined
    if (emoji !== undefined) return { code: 'caption_emoji', detail: `contains ${show(emoji)}` }
    return lang === 'en' ? refuseLanguage(tokens, lexicon) : undefined
  }
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
