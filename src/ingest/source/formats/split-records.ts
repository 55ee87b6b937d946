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
  readonly quotedBy?: number
}

/** Takes bytes as they come. */
export interface RecordSplitter {
  /** Records that are complete now; lines without content are no records. */
  push(chunk: Uint8Array): readonly RawRecord[]
  /** The record after the last newline, if any. */
  end(): readonly RawRecord[]
}

const NEWLINE = 10
const RETURN = 13
const QUOTE = 34
const NONE = new Uint8Array(0)

/** Memory is bounded by the longest record, and that by `maxRowBytes`. */
export function createRecordSplitter(options: SplitOptions): RecordSplitter {
  const { maxRowBytes, quotedBy } = options
  let pending: Uint8Array = NONE
  let offset = options.offset
  // Inside a line that is too long already: its rest is dropped up to the newline.
  let dropping = false

  const take = (atEnd: boolean): RawRecord[] => {
    const records: RawRecord[] = []
    let start = 0
    if (dropping) {
      const newline = pending.indexOf(NEWLINE)
      start = newline < 0 ? pending.length : newline + 1
      dropping = newline < 0
    }
    while (start < pending.length) {
      const found = findEnd(pending, start, { quotedBy, atEnd, maxRowBytes })
      if (found === undefined) break
      const record = makeRecord(pending, start, found, offset, maxRowBytes)
      if (record !== undefined) records.push(record)
      start = found.next
      dropping = found.cut === true
    }
    offset += start
    pending = pending.subarray(start)
    return records
  }
  return {
    push: (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
      return take(false)
    },
    end: () => take(true),
  }
}

interface RecordEnd {
  /** Exclusive, before the newline. */
  readonly end: number
  /** Where the next record begins. */
  readonly next: number
  readonly problem?: string
  /** The record goes on behind `next`. */
  readonly cut?: boolean
}

interface FindOptions {
  readonly quotedBy: number | undefined
  readonly atEnd: boolean
  readonly maxRowBytes: number
}

/** undefined: more bytes are needed. */
function findEnd(bytes: Uint8Array, start: number, options: FindOptions): RecordEnd | undefined {
  const line = findLineEnd(bytes, start, options)
  if (options.quotedBy === undefined) return line
  if (!bytes.subarray(start, line?.end).includes(QUOTE)) return line

  const end = findQuotedEnd(bytes, start, options.quotedBy, options.atEnd)
  if (typeof end === 'number') {
    if (end - start <= options.maxRowBytes) return { end, next: Math.min(end + 1, bytes.length) }
  } else if (end === 'more' && !options.atEnd && bytes.length - start <= options.maxRowBytes) {
    return undefined
  }
  // The quotes of this line make no record: it is given up alone, the next line is tried afresh.
  const problem = 'a quote in this line is not closed, or is followed by more than a delimiter'
  return line === undefined ? undefined : { ...line, problem }
}

function findLineEnd(
  bytes: Uint8Array,
  start: number,
  { atEnd, maxRowBytes }: FindOptions,
): RecordEnd | undefined {
  const newline = bytes.indexOf(NEWLINE, start)
  if (newline >= 0) return { end: newline, next: newline + 1 }
  if (atEnd) return { end: bytes.length, next: bytes.length }
  // One byte of grace: a carriage return before the newline does not count.
  if (bytes.length - start <= maxRowBytes + 1) return undefined
  return { end: bytes.length, next: bytes.length, cut: true }
}

/** The end of a record in which some field is quoted; 'bad' if its quotes do not add up. */
function findQuotedEnd(
  bytes: Uint8Array,
  start: number,
  delimiter: number,
  atEnd: boolean,
): number | 'more' | 'bad' {
  let at = start
  for (;;) {
    // At the start of a field.
    if (bytes[at] === QUOTE) {
      let close = bytes.indexOf(QUOTE, at + 1)
      while (close >= 0 && bytes[close + 1] === QUOTE) close = bytes.indexOf(QUOTE, close + 2)
      if (close < 0) return 'more'
      at = close + 1
      if (bytes[at] === RETURN && (bytes[at + 1] === NEWLINE || at + 1 === bytes.length)) at++
      if (at >= bytes.length) return atEnd ? bytes.length : 'more'
      if (bytes[at] === NEWLINE) return at
      if (bytes[at] !== delimiter) return 'bad'
      at++
      continue
    }
    while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== NEWLINE) at++
    if (at >= bytes.length) return atEnd ? bytes.length : 'more'
    if (bytes[at] === NEWLINE) return at
    at++
  }
}

function makeRecord(
  bytes: Uint8Array,
  start: number,
  found: RecordEnd,
  base: number,
  maxRowBytes: number,
): RawRecord | undefined {
  const end = bytes[found.end - 1] === RETURN && found.end > start ? found.end - 1 : found.end
  if (end === start) return undefined
  const offset = base + start
  const next = base + found.next
  if (found.cut === true || end - start > maxRowBytes) {
    return { offset, next, bytes: NONE, problem: 'too_long' }
  }
  if (found.problem !== undefined) return { offset, next, bytes: NONE, problem: found.problem }
  return { offset, next, bytes: bytes.subarray(start, end) }
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
