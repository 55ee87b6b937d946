// One JSON file: an array of objects; parallel arrays in one object, as SBU Captions has; or the
// captions of COCO, whose annotations refer to images. Read element by element, never whole.

import { messageOf } from '../../../core/errors.ts'
import type { Json } from '../../../core/types.ts'
import type { SourceOptions } from '../options.ts'
import { createCache } from '../../../system/cache.ts'
import { shortPath } from '../files/addresses.ts'
import type { SourceFiles } from '../files/files.ts'
import {
  badPosition,
  DamagedFile,
  isMarked,
  survivingDamage,
  type Fields,
  type RawRow,
  type SourceFormat,
} from './format.ts'
import { findJsonArrays, jsonElements, type JsonArrays } from './split-json.ts'
import type { RawRecord } from './split-records.ts'
import { readBytes } from '../files/packed-bytes.ts'
import { decodeRecord } from './text-bytes.ts'

const LAYOUTS_KEPT = 16
const IMAGES_KEPT = 2
// About 200 bytes of memory each.
const MAX_IMAGES = 2_000_000

/** Columns of COCO captions: those of an annotation, and of its image under these names. */
const cocoColumns = ['id', 'image_id', 'caption', 'image', 'url'] as const

type Layout =
  | { readonly kind: 'objects'; readonly start: number }
  | { readonly kind: 'parallel'; readonly starts: JsonArrays }
  | { readonly kind: 'coco'; readonly images: number; readonly annotations: number }

/** Offsets of the elements of a row: by column of parallel arrays, else under "". */
type Offsets = Readonly<Record<string, number>>

/** The elements of an array of one file, from an offset on. */
type Elements = (offset: number) => AsyncGenerator<RawRecord>

/** @param wanted the columns to read of parallel arrays */
export function createJsonFormat(
  files: SourceFiles,
  wanted: readonly string[],
  options: SourceOptions,
): SourceFormat {
  const layouts = createCache<Layout>(LAYOUTS_KEPT)
  const imagesOf = createCache<ReadonlyMap<string, Fields>>(IMAGES_KEPT)

  const layoutOf = (path: string, signal: AbortSignal): Promise<Layout> =>
    layouts.get(path, async () => toLayout(await findJsonArrays(readBytes(files, path, 0, signal))))

  const elementsOf =
    (path: string, signal: AbortSignal): Elements =>
    (offset) =>
      jsonElements(readBytes(files, path, offset, signal), offset, options.maxRowBytes)

  return survivingDamage({
    columns: async (path, signal) => {
      const layout = await layoutOf(path, signal)
      if (layout.kind === 'coco') return cocoColumns
      if (layout.kind === 'parallel') return [...layout.starts.keys()]
      for await (const record of elementsOf(path, signal)(layout.start)) {
        const first = parse(record)
        if (typeof first === 'object' && first !== null) return Object.keys(first)
      }
      return []
    },
    marks: async function* (path, { seen, ...grid }, signal) {
      const layout = await layoutOf(path, signal)
      let ends = firstOffsets(layout, wanted)
      for await (const records of rowRecords(layout, ends, elementsOf(path, signal))) {
        const starts = mapValues(records, ({ offset }) => offset)
        if (isMarked(seen.rows, grid)) yield { row: seen.rows, position: { ...ends, ...starts } }
        ends = { ...ends, ...mapValues(records, ({ next }) => next) }
        seen.rows++
      }
    },
    read: async function* (path, position, signal) {
      const layout = await layoutOf(path, signal)
      const elements = elementsOf(path, signal)
      const start =
        position === undefined ? firstOffsets(layout, wanted) : toOffsets(path, position)
      for await (const records of rowRecords(layout, start, elements)) {
        const row = toRow(path, records)
        if ('code' in row || layout.kind !== 'coco') yield row
        else {
          const images = await imagesOf.get(path, () => readImages(elements(layout.images)))
          yield withImage(path, row.fields, records['']!, images)
        }
      }
    },
    close: async () => {
      layouts.clear()
      imagesOf.clear()
    },
  })
}

async function readImages(
  elements: AsyncIterable<RawRecord>,
): Promise<ReadonlyMap<string, Fields>> {
  const images = new Map<string, Fields>()
  for await (const record of elements) {
    const image = parse(record)
    if (typeof image !== 'object' || image === null || !('id' in image)) continue
    if (images.size === MAX_IMAGES) throw new DamagedFile(`more than ${MAX_IMAGES} images`)
    const { id, file_name: file, coco_url: coco, flickr_url: flickr, url } = image as Fields
    images.set(String(id), { image: file, url: url ?? coco ?? flickr })
  }
  return images
}

function firstOffsets(layout: Layout, wanted: readonly string[]): Offsets {
  switch (layout.kind) {
    case 'objects':
      return { '': layout.start }
    case 'coco':
      return { '': layout.annotations }
    case 'parallel':
      return Object.fromEntries([...layout.starts].filter(([name]) => wanted.includes(name)))
  }
}

/** Rows from these offsets on, as records by column. */
async function* rowRecords(
  layout: Layout,
  offsets: Offsets,
  elements: Elements,
): AsyncGenerator<Readonly<Record<string, RawRecord>>> {
  if (layout.kind !== 'parallel') {
    for await (const record of elements(offsets['']!)) yield { '': record }
    return
  }
  const columns = Object.entries(offsets).map(([name, offset]) => ({
    name,
    records: elements(offset),
  }))
  try {
    for (;;) {
      const row: Record<string, RawRecord> = {}
      for (const { name, records } of columns) {
        const next = await records.next()
        if (next.done !== true) row[name] = next.value
      }
      if (Object.keys(row).length === 0) return
      yield row
    }
  } finally {
    for (const { records } of columns) await records.return(undefined)
  }
}

function whereOf(path: string, record: RawRecord): string {
  return `${shortPath(path)} at byte ${record.offset}`
}

/** The fields of a row, or why it has none: an object, or a value by column. */
function toRow(path: string, row: Readonly<Record<string, RawRecord>>): RawRow {
  const fields: Record<string, unknown> = {}
  for (const [name, record] of Object.entries(row)) {
    const where = whereOf(path, record)
    const text = decodeRecord(record)
    if (typeof text !== 'string') return { ...text, detail: `${where}: ${text.detail}` }
    const value = parseText(text)
    if (value instanceof Error) {
      return { code: 'row_malformed', detail: `${where}: ${value.message}` }
    }
    if (name !== '') fields[name] = value
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      Object.assign(fields, value)
    } else return { code: 'row_malformed', detail: `${where}: not a JSON object` }
  }
  return { fields }
}

/** An annotation of COCO with what its image says. */
function withImage(
  path: string,
  fields: Fields,
  record: RawRecord,
  images: ReadonlyMap<string, Fields>,
): RawRow {
  const id = String(fields['image_id'])
  const image = images.get(id)
  if (image !== undefined) return { fields: { ...fields, ...image } }
  const detail = `${whereOf(path, record)}: no image with the id ${id}`
  return { code: 'image_missing', detail }
}

function mapValues(
  records: Readonly<Record<string, RawRecord>>,
  map: (record: RawRecord) => number,
): Offsets {
  return Object.fromEntries(Object.entries(records).map(([name, record]) => [name, map(record)]))
}

function toLayout(arrays: JsonArrays): Layout {
  const start = arrays.get('')
  if (start !== undefined) return { kind: 'objects', start }
  const [images, annotations] = [arrays.get('images'), arrays.get('annotations')]
  if (images !== undefined && annotations !== undefined) {
    return { kind: 'coco', images, annotations }
  }
  return { kind: 'parallel', starts: arrays }
}

function toOffsets(path: string, position: Json): Offsets {
  if (typeof position === 'object' && position !== null && !Array.isArray(position)) {
    const entries = Object.entries(position)
    if (entries.every((entry): entry is [string, number] => typeof entry[1] === 'number')) {
      return Object.fromEntries(entries)
    }
  }
  throw badPosition(path, position)
}

function parse(record: RawRecord): unknown {
  const text = decodeRecord(record)
  return typeof text === 'string' ? parseText(text) : undefined
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    return new Error(`not JSON: ${messageOf(error)}`)
  }
}
