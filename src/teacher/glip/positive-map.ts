// Characters to tokens: which tokens of a prompt speak of a phrase (glip.md section 3.2). Spans are
// UTF-16 here; the reference counts code points, so its "one further in" steps over a whole pair.

import type { CharSpan } from '../../core/types.ts'
import type { Encoding } from '../bert-tokenizer.ts'

/**
 * Token indices that are positive for spans of one phrase, ascending, without repeats; counted from
 * 1 because [CLS] stands before the first token. Empty when no span touches a token.
 */
export function positiveTokens(encoding: Encoding, spans: readonly CharSpan[]): number[] {
  const tokens = new Set<number>()
  for (const span of spans) {
    const first = firstToken(encoding, span.start)
    const last = lastToken(encoding, span.end)
    if (first === undefined || last === undefined) continue
    for (let token = first; token <= last; token++) tokens.add(token + 1)
  }
  return [...tokens].sort((a, b) => a - b)
}

/** The token at `start`, or one or two characters further in. */
function firstToken(encoding: Encoding, start: number): number | undefined {
  const { text } = encoding
  let at = start
  for (let attempt = 0; attempt < 3 && at < text.length; attempt++) {
    const token = tokenAt(encoding, at)
    if (token !== undefined) return token
    at += text.codePointAt(at)! > 0xffff ? 2 : 1
  }
  return undefined
}

/** The token of the character before `end`, or one or two characters further in. */
function lastToken(encoding: Encoding, end: number): number | undefined {
  let at = end
  for (let attempt = 0; attempt < 3 && at > 0; attempt++) {
    const isPair = at >= 2 && encoding.text.codePointAt(at - 2)! > 0xffff
    at -= isPair ? 2 : 1
    const token = tokenAt(encoding, at)
    if (token !== undefined) return token
  }
  return undefined
}

/** The first token whose range holds the character. */
function tokenAt(encoding: Encoding, at: number): number | undefined {
  const { starts, ends } = encoding
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ends[middle]! <= at) low = middle + 1
    else high = middle
  }
  return low < starts.length && starts[low]! <= at ? low : undefined
}

/**
 * Positive map of one prompt: shape (rowCount, tokenCount), row-major, each row 1/n on the phrase's
 * n tokens and 0 elsewhere; rows beyond the phrases are 0.
 *
 * @param out where to write, zeroed, at least rowCount * tokenCount long
 */
export function writePositiveMap(
  phrases: readonly (readonly number[])[],
  tokenCount: number,
  out: Float32Array,
): void {
  phrases.forEach((tokens, row) => {
    for (const token of tokens) out[row * tokenCount + token] = 1 / tokens.length
  })
}
