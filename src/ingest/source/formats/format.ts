// What a file format is to the planner and the reader: rows with positions to start from.

import { InputError } from '../../../core/errors.ts'
import type { ReasonCode } from '../../../core/reasons.ts'
import type { Json } from '../../../core/types.ts'
import { shortPath } from '../files/addresses.ts'

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

/** Where a row begins; or, once and last, how many rows there are. */
export type Mark = { readonly row: number; readonly position: Json } | { readonly rows: number }

/** The rows of the files of one kind. A damaged file has one more row, which stands for the rest of it. */
export interface SourceFormat {
  /**
   * Columns of the file as far as they can be known before reading rows.
   *
   * @throws InputError if it cannot be read at all
   */
  columns(path: string, signal: AbortSignal): Promise<readonly string[]>
  /** The positions of rows `first`, `first + stride`, ... of one file, then its row count. */
  marks(path: string, grid: Grid, signal: AbortSignal): AsyncIterable<Mark>
  /**
   * Rows of one file from a position (undefined: from its first row) to its end. A row's number in
   * the file counts from 0 at the file's start.
   */
  read(path: string, position: Json | undefined, signal: AbortSignal): AsyncIterable<RawRow>
  close?(): Promise<void>
}

/** A format that knows sound files alone: each part throws DamagedFile where a file is not. */
export interface SoundFormat extends Omit<SourceFormat, 'marks'> {
  /** Positions without the count: `seen` has how many rows came before, and is kept up to date. */
  marks(
    path: string,
    grid: Grid & { readonly seen: { rows: number } },
    signal: AbortSignal,
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

/** A position that a plan wrote and a reader gets back; anything else means another version's plan. */
export function badPosition(path: string, position: Json): InputError {
  return new InputError(`${path}: ${JSON.stringify(position)} is no position of this format`)
}

/** Damage as a row of its own: its position says why, so that no reader has to meet it again. */
export function survivingDamage(format: SoundFormat): SourceFormat {
  return {
    ...format,
    columns: async (path, signal) => {
      try {
        return await format.columns(path, signal)
      } catch (error) {
        throw new InputError(`${path}: ${damageOf(error)}`, { cause: error })
      }
    },
    marks: async function* (path, grid, signal) {
      const seen = { rows: 0 }
      try {
        yield* format.marks(path, { ...grid, seen }, signal)
      } catch (error) {
        const damage = damageOf(error)
        if (isMarked(seen.rows, grid)) yield { row: seen.rows, position: { damage } }
        seen.rows++
      }
      yield { rows: seen.rows }
    },
    read: async function* (path, position, signal) {
      if (isDamage(position)) {
        yield damagedRow(path, position.damage)
        return
      }
      try {
        yield* format.read(path, position, signal)
      } catch (error) {
        yield damagedRow(path, damageOf(error))
      }
    },
  }
}

/** @throws what is no damage */
function damageOf(error: unknown): string {
  if (error instanceof DamagedFile) return error.message
  throw error
}

function isDamage(position: Json | undefined): position is { readonly damage: string } {
  return (
    typeof position === 'object' &&
    position !== null &&
    'damage' in position &&
    typeof position.damage === 'string'
  )
}

/** The row that stands for what cannot be read of a file. */
export function damagedRow(path: string, damage: string): RejectedRow {
  return { code: 'source_damaged', detail: `${shortPath(path)}: ${damage}` }
}

/** A position that is a row number or a byte offset. */
export function toNumber(path: string, position: Json): number {
  if (typeof position === 'number' && Number.isSafeInteger(position) && position >= 0) {
    return position
  }
  throw badPosition(path, position)
}
