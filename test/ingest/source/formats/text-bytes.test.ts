import { describe, expect, it } from 'vitest'
import { decodeRecord } from '../../../../src/ingest/source/formats/text-bytes.ts'

const record = (bytes: Uint8Array | string, problem?: string) => ({
  offset: 0,
  next: 9,
  bytes: Buffer.from(bytes),
  ...(problem === undefined ? {} : { problem }),
})

describe('decodeRecord', () => {
  it('is the text of a record', () => {
    expect(decodeRecord(record('é🐕'))).toBe('é🐕')
    expect(decodeRecord(record(''))).toBe('')
  })

  it.each([
    [record('', 'too_long'), 'row_too_long', 'longer than source.maxRowBytes'],
    [record('', 'a quote'), 'row_malformed', 'a quote'],
    [record('ab\0c'), 'encoding_invalid', 'NUL byte, the 3th of the row'],
    [record(Uint8Array.of(0xff)), 'encoding_invalid', 'not UTF-8'],
  ])('says why there is none: %j', (bytes, code, detail) => {
    expect(decodeRecord(bytes)).toEqual({ code, detail })
  })
})
