// What the bytes of a record of a text file say.

import { shortPath } from '../files/addresses.ts'
import { messageOf } from '../../../core/errors.ts'
import { decodeUtf8 } from '../utf8.ts'
import type { RejectedRow } from './format.ts'
import type { RawRecord } from './split-records.ts'

/** The text of a record, or why it has none. */
export function decodeRecord({ bytes, problem }: RawRecord): string | RejectedRow {
  if (problem === 'too_long') {
    return { code: 'row_too_long', detail: 'longer than source.maxRowBytes' }
  }
  if (problem !== undefined) return { code: 'row_malformed', detail: problem }
  const nul = bytes.indexOf(0)
  if (nul >= 0) {
    return { code: 'encoding_invalid', detail: `NUL byte, the ${nul + 1}th of the row` }
  }
  return decodeUtf8(bytes) ?? { code: 'encoding_invalid', detail: 'not UTF-8' }
}

/** The record's place in its file, for messages. */
export function whereOf(path: string, { offset }: RawRecord): string {
  return `${shortPath(path)} at byte ${offset}`
}

/** What the text says, or the Error that it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    return new Error(`not JSON: ${messageOf(error)}`)
  }
}
