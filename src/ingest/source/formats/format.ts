// What a file format is to the planner and the reader: rows with positions to start from.

import { z } from 'zod'
import { InputError } from '../../../core/errors.ts'
import type { ReasonCode } from '../../../core/reasons.ts'
import type { Json } from '../../../core/types.ts'
import { shortPath } from '../files/addresses.ts'
import type { SourceFile } from '../files/files.ts'

/** A row before its columns are understood. */
export type RawRow = { readonly fields: Fields } | RejectedRow

/** A row that cannot be read, and why. */
export interface RejectedRow {
  readonly code: ReasonCode
  readonly detail: string
  readonly url?: string
}

/** Column to value: what the format's parser makes of it, undefined or null where there is none. */
export type Fields = Readonly<Record<string, unknown>>

/** True for what JSON has as an object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Where a row begins; or, once and last, how many rows there are. */
export type Mark = { readonly row: number; readonly position: Json } | { readonly rows: number }

/** The rows of the files of one kind. A damaged file has one more row, which stands for the rest of it. */
export interface SourceFormat {
  /**
   * Columns of the file as far as they can be known before reading rows.
   *
   * @throws InputError if it cannot be read at all
   */
  columns(file: SourceFile): Promise<readonly string[]>
  /** The positions of rows `first`, `first + stride`, ... of one file, then its row count. */
  marks(file: SourceFile, grid: Grid): AsyncIterable<Mark>
  /**
   * Rows of one file from a position (undefined: from its first row) to its end. A row's number in
   * the file counts from 0 at the file's start.
   */
  read(file: SourceFile, position: Json | undefined): AsyncIterable<RawRow>
}

/** A format that knows sound files alone: each part throws DamagedFile where a file is not. */
export interface SoundFormat extends Omit<SourceFormat, 'marks'> {
  /** Positions without the count: `seen` has how many rows came before, and is kept up to date. */
  marks(
    file: SourceFile,
    grid: Grid & { readonly seen: { rows: number } },
  ): AsyncIterable<{ readonly row: number; readonly position: Json }>
}

/** Row numbers of one file, from 0. */
export interface Grid {
  readonly first: number
  readonly stride: number
}

/** The rows of the grid among `count` rows from `from` on. */
export function* markedRows(
  { first, stride }: Grid,
  from: number,
  count: number,
): Generator<number> {
  const next = from <= first ? first : first + Math.ceil((from - first) / stride) * stride
  for (let row = next; row < from + count; row += stride) yield row
}

/** True if the row is one of the grid's. */
export function isMarked(row: number, { first, stride }: Grid): boolean {
  return row >= first && (row - first) % stride === 0
}

/** A file that is no such file: damaged or of another kind, as opposed to unreachable just now. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
}

/** The error as damage. @throws what is none */
export function asDamage(error: unknown): DamagedFile {
  if (error instanceof DamagedFile) return error
  throw error
}

/**
 * A position that a plan wrote and a reader gets back.
 *
 * @throws InputError for anything else, which means another version's plan
 */
export function toPosition<T>(schema: z.ZodType<T>, path: string, position?: Json): T {
  const parsed = schema.safeParse(position)
  if (parsed.success) return parsed.data
  throw new InputError(`${path}: ${JSON.stringify(position)} is no position of this format`)
}

/** A position that is a row number or a byte offset. */
export const numberPosition = z.int().min(0).optional()

const damagePosition = z.object({ damage: z.string() })

/** Damage as a row of its own: its position says why, so that no reader has to meet it again. */
export function survivingDamage(format: SoundFormat): SourceFormat {
  return {
    ...format,
    columns: async (file) => {
      try {
        return await format.columns(file)
      } catch (error) {
        throw new InputError(`${file.path}: ${asDamage(error).message}`, { cause: error })
      }
    },
    marks: async function* (file, grid) {
      const seen = { rows: 0 }
      try {
        yield* format.marks(file, { ...grid, seen })
      } catch (error) {
        const damage = asDamage(error).message
        if (isMarked(seen.rows, grid)) yield { row: seen.rows, position: { damage } }
        seen.rows++
      }
      yield { rows: seen.rows }
    },
    read: async function* (file, position) {
      const { data: known } = damagePosition.safeParse(position)
      try {
        if (known === undefined) yield* format.read(file, position)
        else yield damagedRow(file.path, known.damage)
      } catch (error) {
        yield damagedRow(file.path, asDamage(error).message)
      }
    },
  }
}

/** The row that stands for what cannot be read of a file. */
export function damagedRow(path: string, damage: string): RejectedRow {
  return { code: 'source_damaged', detail: `${shortPath(path)}: ${damage}` }
}

/** The row; a rejected one says where it is. */
export function placed(where: string, row: RawRow): RawRow {
  return 'code' in row ? { ...row, detail: `${where}: ${row.detail}` } : row
}
