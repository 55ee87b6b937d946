// Bytes to records: lines, or CSV records whose quoted fields may hold newlines. Works on bytes, so
// that a record's offset is known and one undecodable record harms no other. Planning and reading
// share this code, so they agree about what a row is.

/** A record as bytes, or why it cannot be one. */
export interface RawRecord {
  /** Byte offset of the record in the (uncompressed) file. */
  readonly offset: number
  /** Where the next record may begin. */
  readonly next: number
  /** Without the line end; empty when there is a problem. */
  readonly bytes: Uint8Array
  readonly problem?: string
}

/** Where splitting begins and what ends a record. */
export interface SplitOptions {
  /** Of the first byte pushed. */
  readonly offset: number
  readonly maxRowBytes: number
  /** The delimiter's byte when fields may be quoted; undefined: every newline ends a record. */
  readonly quotedBy?: number | undefined
}

const NEWLINE = 10
const RETURN = 13
const QUOTE = 34
const NONE = new Uint8Array(0)

interface RecordEnd {
  /** Exclusive, before the newline. */
  readonly end: number
  /** Where the next record begins. */
  readonly next: number
  readonly problem?: string
  /** The record goes on behind `next`. */
  readonly cut?: boolean
}

/** Takes bytes as they come. Memory is bounded by the longest record, and that by `maxRowBytes`. */
export class RecordSplitter {
  readonly #maxRowBytes: number
  readonly #quotedBy: number | undefined
  #pending: Uint8Array = NONE
  /** Of the pending bytes. */
  #offset: number
  #atEnd = false
  /** Inside a line that is too long already: its rest is dropped up to the newline. */
  #dropping = false

  constructor({ offset, maxRowBytes, quotedBy }: SplitOptions) {
    this.#offset = offset
    this.#maxRowBytes = maxRowBytes
    this.#quotedBy = quotedBy
  }

  /** Records that are complete now; lines without content are no records. */
  push(chunk: Uint8Array): readonly RawRecord[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    return this.#take()
  }

  /** The record after the last newline, if any. */
  end(): readonly RawRecord[] {
    this.#atEnd = true
    return this.#take()
  }

  #take(): RawRecord[] {
    const records: RawRecord[] = []
    let start = 0
    if (this.#dropping) {
      const newline = this.#pending.indexOf(NEWLINE)
      start = newline < 0 ? this.#pending.length : newline + 1
      this.#dropping = newline < 0
    }
    while (start < this.#pending.length) {
      const found = this.#findEnd(start)
      if (found === undefined) break
      const record = this.#makeRecord(start, found)
      if (record !== undefined) records.push(record)
      start = found.next
      this.#dropping = found.cut === true
    }
    this.#offset += start
    this.#pending = this.#pending.subarray(start)
    return records
  }

  /** undefined: more bytes are needed. */
  #findEnd(start: number): RecordEnd | undefined {
    const bytes = this.#pending
    const line = this.#findLineEnd(start)
    if (this.#quotedBy === undefined) return line
    if (!bytes.subarray(start, line?.end).includes(QUOTE)) return line

    const end = this.#findQuotedEnd(start, this.#quotedBy)
    if (typeof end === 'number') {
      if (end - start <= this.#maxRowBytes) return { end, next: Math.min(end + 1, bytes.length) }
    } else if (end === 'more' && !this.#atEnd && bytes.length - start <= this.#maxRowBytes) {
      return undefined
    }
    // The quotes of this line make no record: it is given up alone, the next line is tried afresh.
    const problem = 'a quote in this line is not closed, or is followed by more than a delimiter'
    return line === undefined ? undefined : { ...line, problem }
  }

  #findLineEnd(start: number): RecordEnd | undefined {
    const { length } = this.#pending
    const newline = this.#pending.indexOf(NEWLINE, start)
    if (newline >= 0) return { end: newline, next: newline + 1 }
    if (this.#atEnd) return { end: length, next: length }
    // One byte of grace: a carriage return before the newline does not count.
    if (length - start <= this.#maxRowBytes + 1) return undefined
    return { end: length, next: length, cut: true }
  }

  /** The end of a record in which some field is quoted; 'bad' if its quotes do not add up. */
  #findQuotedEnd(start: number, delimiter: number): number | 'more' | 'bad' {
    const bytes = this.#pending
    let at = start
    for (;;) {
      // At the start of a field.
      if (bytes[at] === QUOTE) {
        let close = bytes.indexOf(QUOTE, at + 1)
        while (close >= 0 && bytes[close + 1] === QUOTE) close = bytes.indexOf(QUOTE, close + 2)
        if (close < 0) return 'more'
        at = close + 1
        if (bytes[at] === RETURN && (bytes[at + 1] === NEWLINE || at + 1 === bytes.length)) at++
        if (at < bytes.length && bytes[at] !== NEWLINE && bytes[at] !== delimiter) return 'bad'
      } else {
        while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== NEWLINE) at++
      }
      if (at >= bytes.length) return this.#atEnd ? bytes.length : 'more'
      if (bytes[at] === NEWLINE) return at
      at++
    }
  }

  #makeRecord(start: number, found: RecordEnd): RawRecord | undefined {
    const bytes = this.#pending
    const end = bytes[found.end - 1] === RETURN && found.end > start ? found.end - 1 : found.end
    if (end === start) return undefined
    const offset = this.#offset + start
    const next = this.#offset + found.next
    const isLong = found.cut === true || end - start > this.#maxRowBytes
    const problem = isLong ? 'too_long' : found.problem
    // Written out, since a spread for each record takes longer than all else here.
    if (problem !== undefined) return { offset, next, bytes: NONE, problem }
    return { offset, next, bytes: bytes.subarray(start, end) }
  }
}

/** The fields of one record, quotes removed and doubled quotes made single. */
export function splitFields(record: string, delimiter: string, quotes: boolean): string[] {
  if (!quotes || !record.includes('"')) return record.split(delimiter)
  const fields: string[] = []
  for (let at = 0; ; at++) {
    if (record[at] === '"') {
      let close = record.indexOf('"', at + 1)
      while (close >= 0 && record[close + 1] === '"') close = record.indexOf('"', close + 2)
      const end = close < 0 ? record.length : close
      fields.push(record.slice(at + 1, end).replaceAll('""', '"'))
      at = end + 1
    } else {
      const next = record.indexOf(delimiter, at)
      const end = next < 0 ? record.length : next
      fields.push(record.slice(at, end))
      at = end
    }
    if (at >= record.length) return fields
  }
}
