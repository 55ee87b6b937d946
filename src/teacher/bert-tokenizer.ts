// WordPiece as bert-base-uncased does it, with every piece's range in the original text. The text is
// walked once, code point by code point: lower-casing and decomposition never see the whole string,
// so offsets survive them (glip.md section 3.1).

/** What the text became; without [CLS] and [SEP]. All arrays have one entry per token. */
export interface Encoding {
  readonly text: string
  readonly ids: readonly number[]
  /** First UTF-16 unit of the text that the token came from. */
  readonly starts: readonly number[]
  /** One past the last. Ranges never run backwards, but two tokens may share a character. */
  readonly ends: readonly number[]
  /** Number of the word that the token belongs to, from 0, never decreasing. */
  readonly words: readonly number[]
}

/** Text to token ids with their places in the text. */
export interface Tokenizer {
  readonly padId: number
  readonly clsId: number
  readonly sepId: number
  readonly vocabSize: number
  encode(text: string): Encoding
}

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const
const REQUIRED = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'] as const
/** Longer words, counted in normalised characters, are [UNK]. */
const MAX_WORD = 100
const MAX_CACHED_WORDS = 50_000

/** Lines of a vocab.txt: split at "\n" alone, since an entry may be any other kind of space. */
export function parseVocab(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/**
 * @param vocab token texts in id order
 * @throws Error naming the special token that the vocabulary lacks
 */
export function createTokenizer(vocab: readonly string[], lowerCase = true): Tokenizer {
  const idOf = new Map(vocab.map((token, id) => [token, id]))
  for (const token of REQUIRED) {
    if (!idOf.has(token)) throw new Error(`the vocabulary has no ${token} line`)
  }
  const special = SPECIAL.filter((token) => idOf.has(token))
  const unknown = idOf.get('[UNK]')!
  const longest = vocab.reduce((length, token) => Math.max(length, token.length), 0)
  const cache = new Map<string, readonly Piece[]>()

  /** Greedy from the left; one [UNK] for the whole word if any rest has no match. */
  function longestMatches(word: string): readonly Piece[] {
    const pieces: Piece[] = []
    let from = 0
    while (from < word.length) {
      const prefix = from === 0 ? '' : '##'
      let to = Math.min(word.length, from + longest)
      let id: number | undefined
      for (; to > from; to--) {
        id = idOf.get(prefix + word.slice(from, to))
        if (id !== undefined) break
      }
      if (id === undefined) return [{ id: unknown, from: 0, to: word.length }]
      pieces.push({ id, from, to })
      from = to
    }
    return pieces
  }

  function piecesOf({ text, starts }: Word): readonly Piece[] {
    const cached = cache.get(text)
    if (cached !== undefined) return cached
    const isTooLong = starts.length > MAX_WORD
    const pieces = isTooLong ? [{ id: unknown, from: 0, to: text.length }] : longestMatches(text)
    if (cache.size >= MAX_CACHED_WORDS) cache.clear()
    cache.set(text, pieces)
    return pieces
  }

  return {
    padId: idOf.get('[PAD]')!,
    clsId: idOf.get('[CLS]')!,
    sepId: idOf.get('[SEP]')!,
    vocabSize: vocab.length,
    encode(text) {
      const ids: number[] = []
      const starts: number[] = []
      const ends: number[] = []
      const words: number[] = []
      let count = 0
      const push = (id: number, start: number, end: number) => {
        ids.push(id)
        starts.push(start)
        ends.push(end)
        words.push(count)
      }
      for (const { start, end, token } of splitSpecial(text, special)) {
        if (token !== undefined) {
          push(idOf.get(token)!, start, end)
          count++
          continue
        }
        for (const word of splitWords(text.slice(start, end), lowerCase)) {
          for (const { id, from, to } of piecesOf(word)) {
            push(id, start + word.startAt[from]!, start + word.endAt[to - 1]!)
          }
          count++
        }
      }
      return { text, ids, starts, ends, words }
    },
  }
}

/** UTF-16 range of a piece in the normalised word. */
interface Piece {
  readonly id: number
  readonly from: number
  readonly to: number
}

interface Segment {
  readonly start: number
  readonly end: number
  /** A special token written out in the text, such as "[SEP]"; it becomes that token. */
  readonly token?: string
}

function splitSpecial(text: string, special: readonly string[]): Segment[] {
  if (!text.includes('[')) return [{ start: 0, end: text.length }]
  const segments: Segment[] = []
  let start = 0
  for (let at = text.indexOf('['); at !== -1; at = text.indexOf('[', at + 1)) {
    const token = special.find((candidate) => text.startsWith(candidate, at))
    if (token === undefined) continue
    if (at > start) segments.push({ start, end: at })
    segments.push({ start: at, end: at + token.length, token })
    start = at + token.length
  }
  if (start < text.length) segments.push({ start, end: text.length })
  return segments
}

/** A normalised word and where each of its UTF-16 units came from. */
interface Word {
  text: string
  /** One entry per normalised code point. */
  readonly starts: number[]
  /** Per UTF-16 unit of `text`: range of the source character. */
  readonly startAt: number[]
  readonly endAt: number[]
}

function splitWords(text: string, lowerCase: boolean): Word[] {
  const words: Word[] = []
  let word: Word | undefined
  const append = (normal: string, from: number, to: number) => {
    if (word === undefined) {
      word = { text: '', starts: [], startAt: [], endAt: [] }
      words.push(word)
    }
    word.text += normal
    word.starts.push(from)
    for (let unit = 0; unit < normal.length; unit++) {
      word.startAt.push(from)
      word.endAt.push(to)
    }
  }
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at)!
    const next = at + (code > 0xffff ? 2 : 1)
    const kind = kindOf(code)
    if (kind !== 'dropped' && kind !== 'other') word = undefined
    if (kind === 'punctuation') {
      for (const normal of normalise(code, lowerCase)) append(normal, at, next)
    } else if (kind === 'ideograph' || kind === 'other') {
      for (const normal of normalise(code, lowerCase)) {
        const part = kindOf(normal.codePointAt(0)!)
        const isApart = part === 'space' || part === 'punctuation'
        if (isApart) word = undefined
        if (part !== 'space') append(normal, at, next)
        if (isApart) word = undefined
      }
    }
    if (kind === 'punctuation' || kind === 'ideograph') word = undefined
    at = next
  }
  return words
}

/** The code points that one code point becomes; none for a combining mark. */
function normalise(code: number, lowerCase: boolean): readonly string[] {
  if (code < 0x80) {
    return [String.fromCharCode(lowerCase && code >= 0x41 && code <= 0x5a ? code + 32 : code)]
  }
  const text = String.fromCodePoint(code)
  if (!lowerCase) return [text]
  return [
    ...[...text.normalize('NFD')]
      .filter((part) => !MARK.test(part))
      .join('')
      .toLowerCase(),
  ]
}

type Kind = 'dropped' | 'space' | 'punctuation' | 'ideograph' | 'other'

const MARK = /^\p{Mn}$/u
const SPACE = /^\p{White_Space}$/u
const DROPPED = /^\p{C}$/u
const PUNCTUATION = /^\p{P}$/u

const ASCII_KINDS: readonly Kind[] = Array.from({ length: 128 }, (_, code) => slowKindOf(code))

function kindOf(code: number): Kind {
  return code < 128 ? ASCII_KINDS[code]! : slowKindOf(code)
}

function slowKindOf(code: number): Kind {
  if (code === 9 || code === 10 || code === 13) return 'space'
  const text = String.fromCodePoint(code)
  if (code === 0 || code === 0xfffd || DROPPED.test(text)) return 'dropped'
  if (SPACE.test(text)) return 'space'
  if (isIdeograph(code)) return 'ideograph'
  const isAsciiSymbol =
    (code >= 33 && code <= 47) ||
    (code >= 58 && code <= 64) ||
    (code >= 91 && code <= 96) ||
    (code >= 123 && code <= 126)
  return isAsciiSymbol || PUNCTUATION.test(text) ? 'punctuation' : 'other'
}

/** The blocks that BERT isolates; not all of what Unicode calls ideographs. */
function isIdeograph(code: number): boolean {
  return (
    (code >= 0x4e00 && code <= 0x9fff) ||
    (code >= 0x3400 && code <= 0x4dbf) ||
    (code >= 0x20000 && code <= 0x2a6df) ||
    (code >= 0x2a700 && code <= 0x2b73f) ||
    (code >= 0x2b740 && code <= 0x2b81f) ||
    (code >= 0x2b820 && code <= 0x2ceaf) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0x2f800 && code <= 0x2fa1f)
  )
}
