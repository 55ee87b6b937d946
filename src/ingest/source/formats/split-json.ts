// JSON files that are too large to parse whole: where their arrays are, and an array's elements one
// by one. Works on bytes, as split-records.ts does, so that an element's offset is known.

import { DamagedFile } from './format.ts'
import type { RawRecord } from './split-records.ts'

const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92
const OPEN_ARRAY = 91
const CLOSE_ARRAY = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125
const NONE = new Uint8Array(0)

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9
}

/** The arrays of a file: of the top-level object by their key, or the top-level array under "". */
export type JsonArrays = ReadonlyMap<string, number>

const MAX_KEY = 200

/**
 * Finds them in one pass.
 *
 * @returns byte offset behind the opening bracket of each
 * @throws DamagedFile if the file ends early or is neither an array nor an object
 */
export async function findJsonArrays(chunks: AsyncIterable<Buffer>): Promise<JsonArrays> {
  const arrays = new Map<string, number>()
  let depth = 0
  let inString = false
  let isEscaped = false
  // Of the top-level object: the string that was read last, and the one before the last colon.
  let text: number[] = []
  let key: string | undefined
  let offset = 0
  let isDone = false
  let isStarted = false
  for await (const chunk of chunks) {
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!
      if (inString) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) inString = false
        if (inString && depth === 1 && text.length < MAX_KEY) text.push(byte)
        continue
      }
      if (isSpace(byte)) continue
      if (isDone) {
        throw new DamagedFile(
          `more than one JSON value, at byte ${offset + index}; for JSON Lines set source.type: jsonl`,
        )
      }
      if (!isStarted && byte !== OPEN_ARRAY && byte !== OPEN_OBJECT) {
        throw new DamagedFile(`no JSON array or object at byte ${offset + index}`)
      }
      switch (byte) {
        case QUOTE:
          inString = true
          if (depth === 1) text = []
          break
        case 58: // a colon
          if (depth === 1) key = unescaped(Buffer.from(text).toString())
          break
        case OPEN_ARRAY:
          if (!isStarted) arrays.set('', index + offset + 1)
          else if (depth === 1 && key !== undefined) arrays.set(key, offset + index + 1)
          depth++
          break
        case OPEN_OBJECT:
          depth++
          break
        case CLOSE_ARRAY:
        case CLOSE_OBJECT:
          depth--
          if (depth === 0) isDone = true
          break
        case COMMA:
          if (depth === 1) key = undefined
          break
      }
      isStarted = true
    }
    offset += chunk.length
  }
  if (isStarted && !isDone) throw new DamagedFile(`JSON that is cut at byte ${offset}`)
  return arrays
}

function unescaped(key: string): string {
  try {
    return String(JSON.parse(`"${key}"`))
  } catch {
    return key
  }
}

/**
 * The elements of an array.
 *
 * @param chunks bytes from `offset` on, where an element begins
 * @throws DamagedFile if the file ends before the array does
 */
export async function* jsonElements(
  chunks: AsyncIterable<Buffer>,
  offset: number,
  maxRowBytes: number,
): AsyncGenerator<RawRecord> {
  let parts: Uint8Array[] = []
  let length = 0
  let start: number | undefined
  let depth = 0
  let inString = false
  let isEscaped = false
  let at = offset
  for await (const chunk of chunks) {
    let from = 0
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!
      if (start === undefined) {
        if (isSpace(byte) || byte === COMMA) continue
        if (byte === CLOSE_ARRAY) return
        start = at + index
        from = index
      }
      if (inString) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) inString = false
        continue
      }
      if (byte === QUOTE) inString = true
      else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++
      else if (depth > 0 && (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT)) depth--
      else if (depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)) {
        const tail = chunk.subarray(from, index)
        const isLong = length + tail.length > maxRowBytes
        const next = at + index + (byte === COMMA ? 1 : 0) // a bracket ends who begins there
        yield isLong
          ? { offset: start, next, bytes: NONE, problem: 'too_long' }
          : { offset: start, next, bytes: Buffer.concat([...parts, tail]) }
        parts = []
        length = 0
        start = undefined
        if (byte === CLOSE_ARRAY) return
      }
    }
    if (start !== undefined) {
      const rest = chunk.subarray(from)
      if (length <= maxRowBytes) parts.push(Uint8Array.from(rest))
      length += rest.length
      if (length > maxRowBytes) parts = []
    }
    at += chunk.length
  }
  throw new DamagedFile(`JSON that is cut at byte ${at}, inside an array`)
}
