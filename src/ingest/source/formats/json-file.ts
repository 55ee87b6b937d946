// One JSON file: an array of objects; parallel arrays in one object, as SBU Captions has; or the
// captions of COCO, whose annotations refer to images. Read element by element, never whole.

import { z } from 'zod'
import type { SourceOptions } from '../options.ts'
import { createCache } from '../../../system/cache.ts'
import type { SourceFile } from '../files/files.ts'
import {
  DamagedFile,
  isFields,
  isMarked,
  placed,
  survivingDamage,
  toPosition,
  type Fields,
  type RawRow,
  type SourceFormat,
} from './format.ts'
import { findJsonArrays, jsonElements, type JsonArrays } from './split-json.ts'
import type { RawRecord } from './split-records.ts'
import { readBytes } from '../files/packed-bytes.ts'
import { decodeRecord, parseJson, whereOf } from './text-bytes.ts'

const LAYOUTS_KEPT = 16
const IMAGES_KEPT = 2
// About 200 bytes of memory each.
const MAX_IMAGES = 2_000_000

/** Columns of COCO captions: those of an annotation, and of its image under these names. */
const cocoColumns = ['id', 'image_id', 'caption', 'image', 'url'] as const

type Layout =
  | { readonly kind: 'objects'; readonly rows: number }
  | { readonly kind: 'parallel'; readonly starts: JsonArrays }
  | { readonly kind: 'coco'; readonly rows: number; readonly images: number }

/** Offsets of the elements of a row: by column of parallel arrays, else under "". */
const offsetsSchema = z.record(z.string(), z.number())
type Offsets = z.infer<typeof offsetsSchema>

/** Records of a row, likewise. */
type Records = Readonly<Record<string, RawRecord>>

/** The elements of an array of one file, from an offset on. */
type Elements = (offset: number) => AsyncGenerator<RawRecord>

/** @param wanted the columns to read of parallel arrays */
export function createJsonFormat(wanted: readonly string[], options: SourceOptions): SourceFormat {
  const layouts = createCache<Layout>(LAYOUTS_KEPT)
  const imagesOf = createCache<ReadonlyMap<string, Fields>>(IMAGES_KEPT)

  const openJson = async (file: SourceFile): Promise<JsonFile> => {
    const layout = await layouts.get(file.path, async () =>
      toLayout(await findJsonArrays(readBytes(file, 0))),
    )
    const elements: Elements = (offset) =>
      jsonElements(readBytes(file, offset), offset, options.maxRowBytes)
    return { layout, elements }
  }
  const firstOffsets = (layout: Layout): Offsets => {
    if (layout.kind !== 'parallel') return { '': layout.rows }
    return Object.fromEntries([...layout.starts].filter(([name]) => wanted.includes(name)))
  }

  return survivingDamage({
    columns: async (file) => {
      const { layout, elements } = await openJson(file)
      if (layout.kind === 'coco') return cocoColumns
      if (layout.kind === 'parallel') return [...layout.starts.keys()]
      for await (const record of elements(layout.rows)) {
        const first = parse(record)
        if (typeof first === 'object' && first !== null) return Object.keys(first)
      }
      return []
    },
    marks: async function* (file, { seen, ...grid }) {
      const json = await openJson(file)
      let ends = firstOffsets(json.layout)
      for await (const records of rowRecords(json, ends)) {
        const starts = mapValues(records, ({ offset }) => offset)
        if (isMarked(seen.rows, grid)) yield { row: seen.rows, position: { ...ends, ...starts } }
        ends = { ...ends, ...mapValues(records, ({ next }) => next) }
        seen.rows++
      }
    },
    read: async function* (file, position) {
      const json = await openJson(file)
      const { layout, elements } = json
      const given = toPosition(offsetsSchema.optional(), file.path, position)
      for await (const records of rowRecords(json, given ?? firstOffsets(layout))) {
        const row = toRow(file.path, records)
        if ('code' in row || layout.kind !== 'coco') yield row
        else {
          const images = await imagesOf.get(file.path, () => readImages(elements(layout.images)))
          const id = String(row.fields['image_id'])
          const image = images.get(id)
          if (image !== undefined) yield { fields: { ...row.fields, ...image } }
          else {
            const where = whereOf(file.path, records['']!)
            yield { code: 'image_missing', detail: `${where}: no image with the id ${id}` }
          }
        }
      }
    },
  })
}

interface JsonFile {
  readonly layout: Layout
  readonly elements: Elements
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

/** Rows from these offsets on. */
async function* rowRecords(
  { layout, elements }: JsonFile,
  offsets: Offsets,
): AsyncGenerator<Records> {
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

/** The fields of a row, or why it has none: an object, or a value by column. */
function toRow(path: string, row: Records): RawRow {
  const fields: Record<string, unknown> = {}
  for (const [name, record] of Object.entries(row)) {
    const where = whereOf(path, record)
    const text = decodeRecord(record)
    if (typeof text !== 'string') return placed(where, text)
    const value = parseJson(text)
    if (value instanceof Error) {
      return { code: 'row_malformed', detail: `${where}: ${value.message}` }
    }
    if (name !== '') fields[name] = value
    else if (isFields(value)) Object.assign(fields, value)
    else return { code: 'row_malformed', detail: `${where}: not a JSON object` }
  }
  return { fields }
}

function mapValues(records: Records, map: (record: RawRecord) => number): Offsets {
  return Object.fromEntries(Object.entries(records).map(([name, record]) => [name, map(record)]))
}

function toLayout(arrays: JsonArrays): Layout {
  const rows = arrays.get('')
  if (rows !== undefined) return { kind: 'objects', rows }
  const [images, annotations] = [arrays.get('images'), arrays.get('annotations')]
  if (images !== undefined && annotations !== undefined) {
    return { kind: 'coco', images, rows: annotations }
  }
  return { kind: 'parallel', starts: arrays }
}

function parse(record: RawRecord): unknown {
  const text = decodeRecord(record)
  return typeof text === 'string' ? parseJson(text) : undefined
}
