// Words with exact offsets, and what stands between them. Own code instead of compromise's tokenizer:
// hyphenated words stay whole, and no term is without a letter or digit.

import { SPACED_COMPOUNDS, SPACED_SUFFIXES } from './words/compounds.ts'
import { setOf } from './words/list.ts'

/**
 * What stands between a word and the one before it: nothing but spaces, one comma, quotation marks, or
 * anything else (which no phrase spans). The first word has `break`.
 */
export type Gap = 'space' | 'comma' | 'quote' | 'break'

/** A word as it stands in the text. */
export interface Token {
  /** UTF-16 range in the text. */
  readonly start: number
  readonly end: number
  readonly text: string
  /** Lower case, straight apostrophes, plain hyphens. */
  readonly lower: string
  readonly gap: Gap
}

const WORD = /[\p{L}\p{N}\p{M}]/u
const ABBREVIATIONS = setOf(`
  mr mrs ms dr st jr sr prof rev gen col sgt capt lt gov sen rep mt ft no vs inc ltd corp co`)

/**
 * Splits a text into words.
 *
 * @returns sorted, without overlap; `text.slice(start, end) === token.text`, none cuts a surrogate pair
 */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  const mayHoldAddress = /[@:]|\w\.\w/.test(text)
  let previousEnd = 0
  let at = 0
  while (at < text.length) {
    if (!isWordStart(text, at)) {
      at += isPairAt(text, at) ? 2 : 1
      continue
    }
    const end = (mayHoldAddress ? addressEnd(text, at) : undefined) ?? wordEnd(text, at)
    const word = text.slice(at, end)
    tokens.push({
      start: at,
      end,
      text: word,
      lower: normalize(word),
      gap: tokens.length === 0 ? 'break' : gapOf(text.slice(previousEnd, at)),
    })
    previousEnd = end
    at = end
  }
  return text.includes(' - ') ? joinSpacedHyphens(text, tokens) : tokens
}

/** Makes one word of "t - shirt" and "tall - looking", which tokenized captions write so. */
function joinSpacedHyphens(text: string, tokens: readonly Token[]): readonly Token[] {
  const joined: Token[] = []
  for (const token of tokens) {
    const left = joined.at(-1)
    const isCompound =
      left !== undefined &&
      text.slice(left.end, token.start) === ' - ' &&
      (SPACED_SUFFIXES.has(token.lower) || SPACED_COMPOUNDS.has(`${left.lower}-${token.lower}`))
    if (!isCompound) joined.push(token)
    else
      joined[joined.length - 1] = {
        ...left,
        end: token.end,
        text: text.slice(left.start, token.end),
        lower: `${left.lower}-${token.lower}`,
      }
  }
  return joined
}

const ADDRESS =
  /(?:https?:\/\/|www\.)[^\s<>"]*[^\s<>".,;:!?)\]'}]|[\w.+-]+@[\w-]+(?:\.[\w-]+)*|[\w-]+(?:\.[\w-]+)*\.(?:[a-z]{2,4}|html?)(?:\/[^\s<>"]*[^\s<>".,;:!?)\]'}])?(?![\w.-]|$^)/iy

/** End of a URL, an e-mail address, a host or file name at `start`, undefined where none begins. */
function addressEnd(text: string, start: number): number | undefined {
  ADDRESS.lastIndex = start
  const found = ADDRESS.exec(text)?.[0]
  // "end.The" is a missing space, "U.S" and "a.m" are initials.
  if (
    found === undefined ||
    (!/[@:/]/.test(found) && !/^www|[a-z0-9_]{2}\.[a-z]{2,4}$/.test(found))
  )
    return undefined
  return start + found.length
}

function isWordStart(text: string, at: number): boolean {
  if (isWordAt(text, at)) return true
  const code = text.charCodeAt(at)
  // "$5", "'s" and "'60s": the sign belongs to the word.
  if (code === 0x24) return isDigit(text.charCodeAt(at + 1))
  if (code !== 0x27 && code !== 0x2019) return false
  const isAfterSpace = at === 0 || isSpace(text.charCodeAt(at - 1))
  return isAfterSpace && /^.(?:s|d|m|ll|re|ve|\d0s)(?![\p{L}\p{N}])/iu.test(text.slice(at, at + 6))
}

function wordEnd(text: string, start: number): number {
  let at = start + (isPairAt(text, start) ? 2 : 1)
  while (at < text.length) {
    if (isWordAt(text, at)) {
      at += isPairAt(text, at) ? 2 : 1
      continue
    }
    const joined = joinerLength(text, start, at)
    if (joined === 0) break
    at += joined
  }
  const code = text.charCodeAt(at)
  const isPlural = (text.charCodeAt(at - 1) | 32) === 0x73
  // "the boys' hats": the apostrophe is part of the word unless a quotation ends there.
  if (isPlural && (code === 0x27 || code === 0x2019) && at - start > 2) {
    if (
      /^. ?[\p{L}]/u.test(text.slice(at, at + 4)) &&
      !/(?<![\p{L}\p{N}])['‘]\p{L}[^'’]*$/u.test(text.slice(Math.max(0, start - 40), at))
    )
      return at + 1
  }
  if (code === 0x25 && isDigit(text.charCodeAt(at - 1))) return at + 1
  if (code === 0x2e && isAbbreviation(text.slice(start, at))) return at + 1
  return at
}

/** Units of a sign inside a word at `at` that joins its two sides, 0 if it ends the word. */
function joinerLength(text: string, start: number, at: number): number {
  const code = text.charCodeAt(at)
  const next = at + 1
  if (!isWordAt(text, next)) {
    // Zero-width joiners and soft hyphens may come in rows.
    return isInvisible(code) ? 1 : 0
  }
  switch (code) {
    case 0x27: // '
    case 0x2019: // ’
    case 0x2d: // -
    case 0x2010: // hyphen
    case 0x2011: // non-breaking hyphen
    case 0x5f: // _
      return 1
    case 0x26: // & in AT&T
      return isUpper(text.charCodeAt(at - 1)) && isUpper(text.charCodeAt(next)) ? 1 : 0
    case 0x2e: // 3.5, U.S., a.m.
      return (isDigit(text.charCodeAt(at - 1)) && isDigit(text.charCodeAt(next))) ||
        isInitials(text, start, at)
        ? 1
        : 0
    case 0x2c: // 1,000
    case 0x2f: // 1/2
    case 0x3a: // 10:30
      return isDigit(text.charCodeAt(at - 1)) && isDigit(text.charCodeAt(next)) ? 1 : 0
    default:
      return isInvisible(code) ? 1 : 0
  }
}

function isInitials(text: string, start: number, at: number): boolean {
  return (
    (at - start === 1 || text.charCodeAt(at - 2) === 0x2e) &&
    /^\p{L}$/u.test(text.charAt(at - 1)) &&
    /^\p{L}(?!\p{L})/u.test(text.slice(at + 1, at + 3))
  )
}

function isAbbreviation(word: string): boolean {
  return (
    (word.length === 1 && isUpper(word.charCodeAt(0))) ||
    /\.\p{L}$/u.test(word) ||
    ABBREVIATIONS.has(word.toLowerCase())
  )
}

function gapOf(between: string): Gap {
  if (between === ' ') return 'space'
  if (between === '') return 'break'
  const signs = between.trim()
  if (signs === '') return 'space'
  if (signs === ',') return 'comma'
  return /^["“”‘’'`]{1,2}$/.test(signs) ? 'quote' : 'break'
}

function normalize(word: string): string {
  const lower = word.toLowerCase()
  return /^[\x20-\x7e]*$/.test(lower)
    ? lower
    : lower
        .replace(/[’‘]/g, "'")
        .replace(/[\u2010\u2011]/g, '-')
        .replace(/[\u00ad\u200b-\u200d\u2060]/g, '')
}

function isWordAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  if (code < 0x80) return isLetter(code) || isDigit(code)
  if (Number.isNaN(code)) return false
  const point = text.codePointAt(at)!
  // Half a pair, lone or the second of one, is no word.
  if (point >= 0xd800 && point < 0xe000) return false
  return WORD.test(String.fromCodePoint(point))
}

function isPairAt(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff
}

function isLetter(code: number): boolean {
  return (code | 32) >= 0x61 && (code | 32) <= 0x7a
}

function isUpper(code: number): boolean {
  return code >= 0x41 && code <= 0x5a
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 9 && code <= 13) || code === 0xa0
}

function isInvisible(code: number): boolean {
  return code === 0xad || (code >= 0x200b && code <= 0x200d) || code === 0x2060
}
