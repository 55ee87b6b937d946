// Text ranges. Inside, UTF-16 code units; at the edge of every Python-read format, code points.

import type { CharSpan } from './types.ts'

/** True if a position is in both; spans that only touch do not overlap. */
export function spansOverlap(a: CharSpan, b: CharSpan): boolean {
  return a.start < b.end && b.start < a.end
}

/** True if the span is a non-empty integer range inside the text and does not cut a surrogate pair. */
export function isValidSpan(span: CharSpan, text: string): boolean {
  return (
    Number.isInteger(span.start) &&
    Number.isInteger(span.end) &&
    span.start >= 0 &&
    span.start < span.end &&
    span.end <= text.length &&
    !cutsPair(text, span.start) &&
    !cutsPair(text, span.end)
  )
}

function cutsPair(text: string, index: number): boolean {
  if (index <= 0 || index >= text.length) return false
  const before = text.charCodeAt(index - 1)
  const after = text.charCodeAt(index)
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000
}

/**
 * Converts UTF-16 indices into one text to code-point indices and back, in O(1) per index for text
 * without astral characters. A lone surrogate counts as one code point, as in Python.
 */
export function codePointIndex(text: string): {
  readonly toCodePoint: (utf16: number) => number
  readonly toUtf16: (codePoint: number) => number
} {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) {
    return { toCodePoint: (index) => index, toUtf16: (index) => index }
  }
  const toCodePoint = new Uint32Array(text.length + 1)
  const toUtf16: number[] = []
  let count = 0
  for (let i = 0; i < text.length; count++) {
    toUtf16.push(i)
    toCodePoint[i] = count
    const width = text.codePointAt(i)! > 0xffff ? 2 : 1
    if (width === 2) toCodePoint[i + 1] = count
    i += width
  }
  toCodePoint[text.length] = count
  toUtf16.push(text.length)
  return {
    toCodePoint: (index) => toCodePoint[index]!,
    toUtf16: (index) => toUtf16[index]!,
  }
}
