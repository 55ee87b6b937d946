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

export interface SourceFormat {
  /**
   * Columns of the file as far as they can be known before reading rows.
   *
   * @throws InputError if it cannot be read at all
   */
  columns(path: string, signal: AbortSignal): Promise<readonly string[]>
  /**
   * The positions of rows `first`, `first + stride`, ... of one file, then its row count. Where the
   * file is damaged, one more row stands for the rest of it: see `marksOrDamage`.
   */
  marks(path: string, grid: Grid, signal: AbortSignal): AsyncIterable<Mark>
  /**
   * Rows of one file from a position (undefined: from its first row) to its end. A row's number in
   * the file counts from 0 at the file's start. To be called by `readOrDamage`.
   *
   * @throws DamagedFile where the rest of the file cannot be read; the plan has one row for it
   */
  read(path: string, position: Json | undefined, signal: AbortSignal): AsyncIterable<RawRow>
  close?(): Promise<void>
}

/** Row numbers of one file, from 0. */
export interface Grid {
  readonly first: number
  readonly stride: number
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

/**
 * The marks of a file that may turn out to be damaged: its last row then stands for what cannot be
 * read, and its position says why.
 *
 * @param marks counts the rows it has seen; the row count is given here
 */
export async function* marksOrDamage(
  grid: Grid,
  marks: (seen: { rows: number }) => AsyncIterable<Mark>,
): AsyncGenerator<Mark> {
  const seen = { rows: 0 }
  try {
    yield* marks(seen)
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    if (isMarked(seen.rows, grid)) yield { row: seen.rows, position: { damage: error.message } }
    seen.rows++
  }
  yield { rows: seen.rows }
}

/** The rows of a file from a position on; the last one a reject where the rest is damaged. */
export async function* readOrDamage(
  format: SourceFormat,
  path: string,
  position: Json | undefined,
  signal: AbortSignal,
): AsyncGenerator<RawRow> {
  if (isDamage(position)) {
    yield damagedRow(path, position.damage)
    return
  }
  try {
    yield* format.read(path, position, signal)
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    yield damagedRow(path, error.message)
  }
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
