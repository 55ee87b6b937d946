// A row's columns to image, caption, phrases and what else is kept.

import path from 'node:path'
import type { ReasonCode } from '../../core/reasons.ts'
import { codePointIndex } from '../../core/span.ts'
import type { CharSpan, ImageRef, Json, SourceRow } from '../../core/types.ts'
import { isRemote, shortPath } from './files/addresses.ts'
import { isFields, type Fields, type RejectedRow } from './formats/format.ts'
import { parseJson } from './formats/text-bytes.ts'
import { decodeUtf8 } from './utf8.ts'

/** Columns by what they mean; `url` or `image` is there. */
export interface ColumnMapping {
  readonly url?: string
  readonly image?: string
  readonly caption: string
  readonly phrases?: string
  readonly status?: string
  readonly keep: readonly string[]
}

/** How the columns of a row are understood. */
export interface MapOptions {
  readonly columns: ColumnMapping
  readonly captionIndex: number
  readonly phraseUnits: 'codePoints' | 'utf16'
  /** Folder, or address, that image paths are relative to and may not leave. */
  readonly imageRoot: string
  readonly maxImageBytes: number
}

/** Beside a status column, as img2dataset names it. */
export const ERROR_MESSAGE = 'error_message'

class RowProblem extends Error {
  readonly code: ReasonCode

  constructor(code: ReasonCode, detail: string) {
    super(detail)
    this.code = code
  }
}

/** A row, or why it is none; the row number and the place are the caller's. */
export function mapRow(fields: Fields, options: MapOptions): Omit<SourceRow, 'row'> | RejectedRow {
  const { columns } = options
  let url: string | undefined
  try {
    url = columns.url === undefined ? undefined : textOf(fields, columns.url)
    checkStatus(fields, columns.status)
    const image = localImage(fields, options) ?? remoteImage(url, columns)
    const caption = captionOf(fields, options)
    const supplied = phrasesOf(fields, caption, options)
    const extra = Object.fromEntries(
      columns.keep.map((name) => [name, toJson(valueOf(fields, name))]),
    )
    return {
      image,
      caption,
      ...(supplied === undefined ? {} : { supplied }),
      ...(columns.keep.length === 0 ? {} : { extra }),
    }
  } catch (error) {
    if (!(error instanceof RowProblem)) throw error
    const known = url === undefined || url === '' ? {} : { url }
    return { code: error.code, detail: error.message, ...known }
  }
}

/** @throws RowProblem if the data set itself says that it has no image */
function checkStatus(fields: Fields, name: string | undefined): void {
  if (name === undefined) return
  const status = textOf(fields, name)
  if (status === 'success') return
  const message = textOf(fields, ERROR_MESSAGE)
  throw new RowProblem('source_failed', `${status ?? 'no status'}: ${message ?? 'unknown'}`)
}

/** The value of a column; "a.b" is the key b inside a where no column has that name. */
export function valueOf(fields: Fields, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name]
  let value: unknown = fields
  for (const key of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Fields)[key]
  }
  return value
}

/** Text of a column; undefined where there is none. */
function textOf(fields: Fields, name: string): string | undefined {
  const value = valueOf(fields, name)
  return value === undefined || value === null ? undefined : asText(value, name)
}

function asText(value: unknown, name: string): string {
  const text = value instanceof Uint8Array ? decodeUtf8(value) : value
  if (text === undefined) throw new RowProblem('encoding_invalid', `column ${name} is not UTF-8`)
  if (typeof text !== 'string') {
    throw new RowProblem('row_malformed', `column ${name} is ${kindOf(text)}, not text`)
  }
  const bad = /\0|\p{Cs}/u.exec(text)
  if (bad === null) return text
  const what = bad[0] === '\0' ? 'a NUL character' : 'half a surrogate pair'
  throw new RowProblem('encoding_invalid', `column ${name} has ${what} at ${bad.index}`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function localImage(fields: Fields, options: MapOptions): ImageRef | undefined {
  const { image: column } = options.columns
  return column === undefined ? undefined : toImage(valueOf(fields, column), column, options)
}

function remoteImage(url: string | undefined, columns: ColumnMapping): ImageRef {
  if (url !== undefined && url !== '') return { kind: 'url', url }
  const asked = [columns.image, columns.url].filter((column) => column !== undefined)
  throw new RowProblem('image_missing', `nothing in column ${asked.join(' or ')}`)
}

function toImage(value: unknown, name: string, options: MapOptions): ImageRef | undefined {
  const { imageRoot, maxImageBytes } = options
  if (value === undefined || value === null || value === '') return undefined
  if (value instanceof Uint8Array) {
    if (value.length <= maxImageBytes) return { kind: 'bytes', bytes: value, name }
    throw new RowProblem(
      'row_too_long',
      `image of ${value.length} bytes; source.maxImageBytes is ${maxImageBytes}`,
    )
  }
  if (isFields(value)) {
    // As Hugging Face stores images: { bytes, path }, either of them null.
    const { bytes, path: file } = value
    if (!(bytes instanceof Uint8Array)) return toImage(file, `${name}.path`, options)
    return toImage(bytes, typeof file === 'string' && file !== '' ? file : name, options)
  }
  const file = asText(value, name)
  const outside = () => `${JSON.stringify(shortPath(file))} is not inside ${shortPath(imageRoot)}`
  if (isRemote(imageRoot)) {
    // A path in a file that came over the network is an address relative to it.
    const url = URL.canParse(file, imageRoot) ? new URL(file, imageRoot).href : ''
    if (url.startsWith(imageRoot)) return { kind: 'url', url }
    throw new RowProblem('member_unsafe', `column ${name}: ${outside()}`)
  }
  const root = path.resolve(imageRoot)
  const full = path.resolve(root, file)
  if (full !== root && full.startsWith(root.endsWith(path.sep) ? root : root + path.sep)) {
    return { kind: 'file', path: path.join(imageRoot, path.relative(root, full)) }
  }
  throw new RowProblem('member_unsafe', outside())
}

function captionOf(fields: Fields, { columns, captionIndex }: MapOptions): string {
  const value = valueOf(fields, columns.caption)
  const chosen: unknown = Array.isArray(value) ? value[captionIndex] : value
  if (chosen !== undefined && chosen !== null) return asText(chosen, columns.caption)
  const index = Array.isArray(value) ? ` at index ${captionIndex}` : ''
  throw new RowProblem('caption_missing', `nothing in column ${columns.caption}${index}`)
}

function phrasesOf(
  fields: Fields,
  caption: string,
  options: MapOptions,
): readonly CharSpan[] | undefined {
  const name = options.columns.phrases
  if (name === undefined) return undefined
  const value = valueOf(fields, name)
  if (value === undefined || value === null || value === '') return []
  const list: unknown = typeof value === 'string' ? parseJson(value) : value
  if (!Array.isArray(list)) {
    const found = list instanceof Error ? 'no JSON' : `${kindOf(list)}, not a list`
    throw new RowProblem('phrases_invalid', `column ${name} is ${found}`)
  }
  const { toUtf16 } = codePointIndex(caption)
  // An index behind the text has no counterpart in the other unit.
  const convert = (index: number) =>
    index < 0 || options.phraseUnits === 'utf16'
      ? index
      : ((toUtf16(index) as number | undefined) ?? caption.length + 1)
  // Outside of the caption stays outside for the check that follows.
  return list.map((item: unknown) => {
    const [start = NaN, end = NaN] = boundsOf(item).map(Number)
    if (!Number.isInteger(start) || !Number.isInteger(end)) {
      const shown = JSON.stringify(toJson(item))
      throw new RowProblem(
        'phrases_invalid',
        `column ${name}: ${shown} begins with no start and end`,
      )
    }
    return { start: convert(start), end: convert(end) }
  })
}

/** Of [start, end, ...] or { start, end, ... }. */
function boundsOf(item: unknown): readonly unknown[] {
  if (Array.isArray(item) || ArrayBuffer.isView(item)) return Array.from(item as ArrayLike<unknown>)
  if (typeof item !== 'object' || item === null) return []
  const { start, end } = item as { readonly start?: unknown; readonly end?: unknown }
  return [start, end]
}

/**
 * A value as JSON can hold it: 64-bit integers as numbers where they are exact, else as text; dates
 * as ISO 8601; bytes as base64; numbers that are none as null.
 */
export function toJson(value: unknown): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    case 'object':
      break
    case 'undefined':
    case 'function':
    case 'symbol':
      return null
  }
  if (value === null) return null
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return Array.from(value as ArrayLike<unknown>, toJson)
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
}
