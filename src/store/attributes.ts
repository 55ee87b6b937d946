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
import { count, digest, sha256, type CommitRecord } from './commit-record.ts'
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
  file: digest,
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

/** What is written: values by row and candidate, ascending; candidates without a value may be left out. */
export interface AttributeContent {
  /** Named as in Parquet. */
  readonly columns: readonly string[]
  readonly values: Iterable<AttributeValues> | AsyncIterable<AttributeValues>
}

/** The attribute of a name, a folder's, e.g. "agreement", of all shards of a run. */
export class RunAttribute {
  readonly #store: RunStore
  readonly #name: string

  constructor(store: RunStore, name: string) {
    this.#store = store
    this.#name = name
  }

  /** Where a shard's lies, less the ending; claimed by whoever writes it. */
  #place(shard: number): string {
    return `${FOLDER}/${this.#name}/${shardName(shard)}`
  }

  /**
   * Writes that of a committed shard, in place of any that was there; seen when it is complete.
   *
   * @returns undefined while another living process writes it
   * @throws RangeError for a bad name, and for values that are no numbers, not of this shard or out of order
   */
  async write(
    commit: CommitRecord,
    content: AttributeContent,
  ): Promise<AttributeRecord | undefined> {
    const [store, name, { columns }] = [this.#store, this.#name, content]
    if (!NAME.test(name)) throw new RangeError(`"${name}" is no name of an attribute`)
    const bad = columns.find((column) => !COLUMN.test(column) || KEYS.includes(column))
    if (bad !== undefined) throw new RangeError(`"${bad}" is no column of an attribute`)
    const { shard, version, runId } = commit
    const groundings = commit.files[GROUNDINGS_FILE]?.sha256
    if (groundings === undefined) throw new RangeError(`shard ${shard} has no groundings`)
    const place = this.#place(shard)
    const release = await store.claim(place)
    if (release === undefined) return undefined
    try {
      const table = await collect(commit, content)
      // Without its record the file that is replaced is nothing any more.
      await store.remove(`${place}.json`)
      const file = await store.replace(`${place}.parquet`, encode(table))
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
      await store.replace(`${place}.json`, `${JSON.stringify(record, null, 2)}\n`)
      return record
    } finally {
      await release()
    }
  }

  /**
   * That of a shard as it was written for this version of it.
   *
   * @returns undefined if there is none, or none of this version, or its file is not what its record says
   */
  async read(commit: CommitRecord): Promise<Attribute | undefined> {
    const record = await this.readRecord(commit)
    if (record === undefined) return undefined
    const bytes = await readWhole(this.#store, `${this.#place(commit.shard)}.parquet`)
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

  /** Undefined if there is no record of this version of the shard. */
  async readRecord({ shard, version, files }: CommitRecord): Promise<AttributeRecord | undefined> {
    const text = await this.#store.read(`${this.#place(shard)}.json`)
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

  /** Ids of the committed shards that have it, ascending, from the records alone. */
  async shards(commits: Iterable<CommitRecord>): Promise<number[]> {
    const shards: number[] = []
    for (const commit of commits) {
      if ((await this.readRecord(commit)) !== undefined) shards.push(commit.shard)
    }
    return shards.sort((a, b) => a - b)
  }

  /** Removes what dead processes left, and what is of versions that were replaced; see sweepAttributes. */
  async sweep(commits: ReadonlyMap<number, CommitRecord>): Promise<void> {
    const store = this.#store
    const folder = `${FOLDER}/${this.#name}`
    await store.sweep([folder])
    const ids = (await store.list(folder)).flatMap((file) => {
      const match = /^(\d{5,})\.(?:parquet|json)$/.exec(file)
      return match === null ? [] : Number(match[1])
    })
    for (const id of new Set(ids)) {
      const commit = commits.get(id)
      if (commit === undefined || (await this.readRecord(commit)) !== undefined) continue
      // Whoever is writing it holds the claim.
      const release = await store.claim(this.#place(id))
      if (release === undefined) continue
      if ((await this.readRecord(commit)) === undefined) {
        await store.remove(`${this.#place(id)}.json`)
        await store.remove(`${this.#place(id)}.parquet`)
      }
      await release()
    }
  }
}

/** Columns of equal length, the keys among them. */
type Table = Readonly<Record<string, readonly number[]>>

async function collect(
  { rows }: CommitRecord,
  { columns, values }: AttributeContent,
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

/** Names of the attributes that some shard of the run has or had, ascending. */
export async function listAttributes(store: RunStore): Promise<string[]> {
  return (await store.list(FOLDER)).filter((name) => NAME.test(name)).sort()
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
  for (const name of await listAttributes(store)) await new RunAttribute(store, name).sweep(commits)
}
