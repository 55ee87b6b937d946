// groundings.parquet: one row per pair that reached the teacher. Spans are written as Unicode code
// points, because the readers of Parquet slice Python or SQL strings; inside they are UTF-16.

import { parquetMetadataAsync, parquetReadObjects, type SchemaElement } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { z } from 'zod'
import { InputError, messageOf } from '../core/errors.ts'
import { codePointIndex } from '../core/span.ts'
import type { GroundingRow, Json } from '../core/types.ts'
import type { StoredFile } from './run-store.ts'

/** Changes when a reader of an older file would misread a newer one. */
export const GROUNDINGS_FORMAT = 1

const leaf = (name: string, type: 'INT32' | 'INT64' | 'FLOAT'): SchemaElement => ({
  name,
  type,
  repetition_type: 'REQUIRED',
})
const text = (name: string, optional = false): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
  repetition_type: optional ? 'OPTIONAL' : 'REQUIRED',
})
const listOf = (name: string, fields: readonly SchemaElement[]): SchemaElement[] => [
  {
    name,
    converted_type: 'LIST',
    logical_type: { type: 'LIST' },
    repetition_type: 'REQUIRED',
    num_children: 1,
  },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', repetition_type: 'REQUIRED', num_children: fields.length },
  ...fields,
]

const int = z.union([z.int(), z.bigint().transform(Number)])
const storedRowSchema = z.object({
  key: z.string(),
  row: int,
  url: z.string().nullish(),
  caption: z.string(),
  width: int,
  height: int,
  format: z.enum(['jpg', 'png', 'webp']),
  sha256: z.string(),
  dhash: z.string(),
  phrases: z.array(
    z.object({ start: int, end: int, text: z.string(), head: z.string(), lemma: z.string() }),
  ),
  candidates: z.array(
    z.object({
      phrase: int,
      score: z.number(),
      x1: z.number(),
      y1: z.number(),
      x2: z.number(),
      y2: z.number(),
    }),
  ),
  extra: z.string().nullish(),
})

const COLUMNS = storedRowSchema.keyof().options

const SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: COLUMNS.length },
  text('key'),
  leaf('row', 'INT64'),
  text('url', true),
  text('caption'),
  leaf('width', 'INT32'),
  leaf('height', 'INT32'),
  text('format'),
  text('sha256'),
  text('dhash'),
  ...listOf('phrases', [
    leaf('start', 'INT32'),
    leaf('end', 'INT32'),
    text('text'),
    text('head'),
    text('lemma'),
  ]),
  ...listOf('candidates', [
    leaf('phrase', 'INT32'),
    leaf('score', 'FLOAT'),
    leaf('x1', 'FLOAT'),
    leaf('y1', 'FLOAT'),
    leaf('x2', 'FLOAT'),
    leaf('y2', 'FLOAT'),
  ]),
  text('extra', true),
]

/** Rows of a shard per row group: bounds what a reader holds. */
const ROWS_PER_GROUP = 2000

/** The file as bytes; the same rows give the same bytes. */
export function encodeGroundings(rows: readonly GroundingRow[], runId: string): Uint8Array {
  const writer = new ByteWriter()
  const parquet = new ParquetWriter({
    writer,
    schema: SCHEMA,
    createdBy: 'groundmill',
    kvMetadata: [
      { key: 'groundmill.format', value: String(GROUNDINGS_FORMAT) },
      { key: 'groundmill.run', value: runId },
      { key: 'groundmill.spans', value: 'code points of caption, half-open' },
      { key: 'groundmill.boxes', value: 'pixels of the stored image, edges' },
    ],
  })
  for (let from = 0; from < rows.length; from += ROWS_PER_GROUP) {
    const group = rows.slice(from, from + ROWS_PER_GROUP).map(encodeRow)
    void parquet.write({
      columnData: COLUMNS.map((name) => ({ name, data: group.map((row) => row[name]) })),
      rowGroupSize: ROWS_PER_GROUP,
    })
  }
  void parquet.finish()
  return new Uint8Array(writer.getBuffer())
}

function encodeRow(row: GroundingRow) {
  const { toCodePoint } = codePointIndex(row.caption)
  return {
    ...row,
    row: BigInt(row.row),
    phrases: row.phrases.map((phrase) => ({
      ...phrase,
      start: toCodePoint(phrase.start),
      end: toCodePoint(phrase.end),
    })),
    // In the file's precision, so that rows that were read back are written as the same bytes.
    candidates: row.candidates.map(({ phrase, score, box }) => ({
      phrase,
      score: Math.fround(score),
      x1: Math.fround(box.x1),
      y1: Math.fround(box.y1),
      x2: Math.fround(box.x2),
      y2: Math.fround(box.y2),
    })),
    extra: row.extra === undefined ? null : JSON.stringify(row.extra),
  }
}

/**
 * Streams a file's rows in order, one row group in memory at a time.
 *
 * @throws InputError naming the file (and row group) if it cannot be read
 */
export async function* readGroundings(file: StoredFile): AsyncGenerator<GroundingRow> {
  const { address } = file
  const buffer = parquetBuffer(file)
  const metadata = await wrapped(address, () => parquetMetadataAsync(buffer))
  let rowStart = 0
  for (const [index, group] of metadata.row_groups.entries()) {
    const rowEnd = rowStart + Number(group.num_rows)
    const rows = await wrapped(`${address}, row group ${index}`, async () => {
      const objects = await parquetReadObjects({
        file: buffer,
        metadata,
        compressors,
        utf8: false,
        rowStart,
        rowEnd,
      })
      return objects.map(decodeRow)
    })
    yield* rows
    rowStart = rowEnd
  }
}

function decodeRow(object: unknown): GroundingRow {
  const row = storedRowSchema.parse(object)
  const { toUtf16 } = codePointIndex(row.caption)
  const { extra, url, phrases, candidates, ...rest } = row
  return {
    ...rest,
    url: url ?? null,
    phrases: phrases.map((phrase) => ({
      ...phrase,
      start: toUtf16(phrase.start),
      end: toUtf16(phrase.end),
    })),
    candidates: candidates.map(({ phrase, score, ...box }) => ({ phrase, score, box })),
    ...(typeof extra === 'string'
      ? { extra: JSON.parse(extra) as Readonly<Record<string, Json>> }
      : {}),
  }
}

function parquetBuffer(file: StoredFile) {
  return {
    byteLength: file.size,
    slice: async (start: number, end = file.size) => (await file.read(start, end)).buffer,
  }
}

async function wrapped<T>(where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new InputError(`${where}: cannot be read as groundings: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
