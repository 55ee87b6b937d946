// What a later pass learns about candidates, beside the shards and never in them: for each shard a Parquet file
// `attributes/<name>/00042.parquet`, keyed by row and candidate index, and its record `00042.json`. The record
// names the version of the shard and binds both files by hash, so that what is half-written, damaged or of
// another version counts as absent: an attribute is made again, never trusted.

import { createHash } from 'node:crypto'
import { parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { z } from 'zod'
import { InputError } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import { VERSION } from '../version.ts'
import type { CommitRecord } from './commit-record.ts'
import type { RunStore } from './run-store.ts'
import { GROUNDINGS_FILE, shardName } from './shards.ts'

/** Where attributes lie, each in a folder of its name. */
const FOLDER = 'attributes'
/** Raised when an older attribute would be misread. */
const FORMAT = 1
const NAME = /^[a-z][a-z0-9_-]{0,63}$/
const COLUMN = /^[a-z][a-z0-9_]{0,63}$/
const KEYS = ['row', 'candidate']
const ROWS_PER_GROUP = 100_000

const count = z.int().min(0)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const recordSchema = z.strictObject({
  formatVersion: z.literal(FORMAT),
  name: z.string(),
  runId: z.string(),
  /** The shard that it is about, and the sha256 of its groundings. */
  shard: count,
  version: z.int().min(1),
  groundings: sha256,
  columns: z.array(z.string()).min(1),
  counts: z.strictObject({ rows: count, candidates: count }),
  /** Of the Parquet file. */
  file: z.strictObject({ size: count, sha256 }),
  /** That wrote it. */
  groundmill: z.string(),
})

/** What an attribute's file holds and which version of which shard it is about. */
export type AttributeRecord = z.output<typeof recordSchema>

/** What is known about one candidate: a finite number for each column. */
export interface AttributeValues {
  /** Row number in the source. */
  readonly row: number
  /** Index into the row's candidates. */
  readonly candidate: number
  readonly values: Readonly<Record<string, number>>
}

/** One attribute of one shard. */
export interface Attribute {
  readonly record: AttributeRecord
  /** Values per column for the row's candidates, in their order; NaN for a candidate that has none. */
  of(row: Pick<GroundingRow, 'row' | 'candidates'>): Readonly<Record<string, Float64Array>>
}

/** Which attribute: its name is a folder's, e.g. "agreement"; its columns are Parquet's. */
export interface AttributeSpec {
  readonly name: string
  readonly columns: readonly string[]
}

const fileOf = (name: string, shard: number) => `${FOLDER}/${name}/${shardName(shard)}.parquet`
const recordOf = (name: string, shard: number) => `${FOLDER}/${name}/${shardName(shard)}.json`

/**
 * Writes an attribute of a committed shard, in place of any that was there; seen when it is complete.
 *
 * @param values by row and candidate, ascending; candidates without a value may be left out
 * @returns undefined while another living process writes it
 * @throws RangeError for a bad name, and for values that are no numbers, not of this shard or out of order
 */
export async function writeAttribute(
  store: RunStore,
  commit: CommitRecord,
  { name, columns }: AttributeSpec,
  values: Iterable<AttributeValues> | AsyncIterable<AttributeValues>,
): Promise<AttributeRecord | undefined> {
  if (!NAME.test(name)) throw new RangeError(`"${name}" is no name of an attribute`)
  const bad = columns.find((column) => !COLUMN.test(column) || KEYS.includes(column))
  if (bad !== undefined) throw new RangeError(`"${bad}" is no column of an attribute`)
  const { shard, version, runId } = commit
  const groundings = commit.files[GROUNDINGS_FILE]?.sha256
  if (groundings === undefined) throw new RangeError(`shard ${shard} has no groundings`)
  const release = await store.claim(`${FOLDER}/${name}/${shardName(shard)}`)
  if (release === undefined) return undefined
  try {
    const table = await collect(commit, columns, values)
    // Without its record the file that is replaced is nothing any more.
    await store.remove(recordOf(name, shard))
    const file = await store.replace(fileOf(name, shard), encode(table))
    const record: AttributeRecord = {
      formatVersion: FORMAT,
      name,
      runId,
      shard,
      version,
      groundings,
      columns: [...columns],
      counts: { rows: new Set(table['row']).size, candidates: table['row']!.length },
      file,
      groundmill: VERSION,
    }
    await store.replace(recordOf(name, shard), `${JSON.stringify(record, null, 2)}\n`)
    return record
  } finally {
    await release()
  }
}

/** Columns of equal length, the keys among them. */
type Table = Readonly<Record<string, readonly number[]>>

async function collect(
  { rows }: CommitRecord,
  columns: readonly string[],
  values: Iterable<AttributeValues> | AsyncIterable<AttributeValues>,
): Promise<Table> {
  const table = Object.fromEntries([...KEYS, ...columns].map((column) => [column, [] as number[]]))
  let last = { row: -1, candidate: -1 }
  for await (const one of values) {
    const { row, candidate } = one
    const isNext = row > last.row || (row === last.row && candidate > last.candidate)
    const isOfShard = row >= rows.start && row < rows.end && candidate >= 0
    if (!isNext || !isOfShard || !Number.isInteger(row) || !Number.isInteger(candidate)) {
      const { start, end } = rows
      throw new RangeError(
        `row ${row}, candidate ${candidate} after row ${last.row}, candidate ${last.candidate}: ` +
          `ascending rows of [${start}, ${end}) are wanted`,
      )
    }
    for (const column of columns) {
      const value = one.values[column]
      if (!Number.isFinite(value)) {
        throw new RangeError(`row ${row}, candidate ${candidate}: ${column} is ${value}`)
      }
    }
    last = one
    for (const [column, cells] of Object.entries(table)) {
      cells.push(column === 'row' ? row : column === 'candidate' ? candidate : one.values[column]!)
    }
  }
  return table
}

function encode(table: Table): Uint8Array {
  const columnData = Object.entries(table).map(([name, cells]) => {
    if (name === 'row') return { name, data: cells.map(BigInt), type: 'INT64' as const }
    const type = name === 'candidate' ? ('INT32' as const) : ('DOUBLE' as const)
    return { name, data: [...cells], type }
  })
  const rowGroupSize = ROWS_PER_GROUP
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: 'groundmill', rowGroupSize }))
}

/**
 * An attribute as it was written for this version of the shard.
 *
 * @returns undefined if there is none, or none of this version, or its file is not what its record says
 */
export async function readAttribute(
  store: RunStore,
  commit: CommitRecord,
  name: string,
): Promise<Attribute | undefined> {
  const record = await readRecord(store, name, commit)
  if (record === undefined) return undefined
  const bytes = await readWhole(store, fileOf(name, commit.shard))
  const digest = createHash('sha256')
    .update(bytes ?? '')
    .digest('hex')
  if (bytes === undefined || digest !== record.file.sha256) return undefined
  const table = await decode(bytes, record)
  const starts = new Map<number, number>()
  for (const [index, row] of table['row']!.entries()) if (!starts.has(row)) starts.set(row, index)
  return {
    record,
    of: ({ row, candidates }) => {
      const start = starts.get(row) ?? Infinity
      const valuesOf = (column: string) => {
        const values = new Float64Array(candidates.length).fill(NaN)
        for (let index = start; table['row']![index] === row; index++) {
          const candidate = table['candidate']![index]!
          if (candidate < values.length) values[candidate] = table[column]![index]!
        }
        return values
      }
      return Object.fromEntries(record.columns.map((column) => [column, valuesOf(column)]))
    },
  }
}

async function decode(
  { buffer: file }: Uint8Array<ArrayBuffer>,
  { columns, counts }: AttributeRecord,
): Promise<Readonly<Record<string, Float64Array>>> {
  const table = Object.fromEntries(
    [...KEYS, ...columns].map((column) => [column, new Float64Array(counts.candidates)]),
  )
  await parquetRead({
    file,
    compressors,
    onChunk: ({ columnName, columnData, rowStart }) => {
      table[columnName]?.set(Float64Array.from(columnData as ArrayLike<number>, Number), rowStart)
    },
  })
  return table
}

async function readWhole(
  store: RunStore,
  name: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const file = await store.open(name)
    try {
      return await file.read(0, file.size)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
}

/** Undefined if there is no record of this version of the shard. */
async function readRecord(
  store: RunStore,
  name: string,
  { shard, version, files }: CommitRecord,
): Promise<AttributeRecord | undefined> {
  const text = await store.read(recordOf(name, shard))
  if (text === undefined) return undefined
  try {
    const record = recordSchema.parse(JSON.parse(text))
    const { sha256 } = files[GROUNDINGS_FILE] ?? {}
    const isOfShard = record.shard === shard && record.version === version
    return isOfShard && record.groundings === sha256 ? record : undefined
  } catch {
    return undefined // counts as absent, and is swept
  }
}

/** Names of the attributes that some shard of the run has or had, ascending. */
export async function listAttributes(store: RunStore): Promise<string[]> {
  return (await store.list(FOLDER)).filter((name) => NAME.test(name)).sort()
}

/** Ids of the committed shards that have an attribute, ascending, from the records alone. */
export async function shardsWithAttribute(
  store: RunStore,
  commits: Iterable<CommitRecord>,
  name: string,
): Promise<number[]> {
  const shards: number[] = []
  for (const commit of commits) {
    if ((await readRecord(store, name, commit)) !== undefined) shards.push(commit.shard)
  }
  return shards.sort((a, b) => a - b)
}

/**
 * Removes what dead processes left, and attributes of versions that were replaced.
 *
 * @param commits the newest by shard; attributes of other shards stay
 */
export async function sweepAttributes(
  store: RunStore,
  commits: ReadonlyMap<number, CommitRecord>,
): Promise<void> {
  for (const name of await listAttributes(store)) {
    const folder = `${FOLDER}/${name}`
    await store.sweep([folder])
    const ids = (await store.list(folder)).flatMap((file) => {
      const match = /^(\d{5,})\.(?:parquet|json)$/.exec(file)
      return match === null ? [] : Number(match[1])
    })
    for (const id of new Set(ids)) {
      const commit = commits.get(id)
      if (commit === undefined || (await readRecord(store, name, commit)) !== undefined) continue
      // Whoever is writing it holds the claim.
      const release = await store.claim(`${folder}/${shardName(id)}`)
      if (release === undefined) continue
      if ((await readRecord(store, name, commit)) === undefined) {
        await store.remove(recordOf(name, id))
        await store.remove(fileOf(name, id))
      }
      await release()
    }
  }
}
