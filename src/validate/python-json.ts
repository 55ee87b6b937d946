// JSON as Python's json module reads it, which is what all these loaders use.

const STRING_OR_WORD = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g

/**
 * Parses like `json.loads`, which takes NaN and Infinity for numbers; both come out as not finite.
 *
 * @throws SyntaxError
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error
    const plain = text.replace(STRING_OR_WORD, (word) =>
      word.startsWith('"') ? word : word.startsWith('-') ? '-1e999' : '1e999',
    )
    return JSON.parse(plain) as unknown
  }
}

/** A JSON object. */
export type Tree = Readonly<Record<string, unknown>>

/** Whether a value is a JSON object. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** True for a list of so many numbers, NaN and Infinity included. */
export function isNumbers(value: unknown, count: number): value is number[] {
  return (
    Array.isArray(value) && value.length === count && value.every((one) => typeof one === 'number')
  )
}

/** Whether a value is a pair of whole numbers, as spans are. */
export function isSpan(value: unknown): value is [number, number] {
  return isNumbers(value, 2) && value.every(Number.isInteger)
}

/** The size in pixels that a record states; undefined if it states none that can be. */
export function sizeOf({ width, height }: Tree): Size | undefined {
  return typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0
    ? { width, height }
    : undefined
}

/** Pixels of an image. */
export interface Size {
  readonly width: number
  readonly height: number
}
