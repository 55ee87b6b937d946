// What img2dataset wrote: pairs in NNNNN.tar, and NNNNN.parquet with a status for every row, of which
// the tar holds only the successes. The rows of a shard: the tar's samples in their order, then what
// failed there, then what should be in the tar and is not.

import { InputError } from '../../../core/errors.ts'
import type { Json } from '../../../core/types.ts'
import type { SourceOptions } from '../options.ts'
import { createCache } from '../../../system/cache.ts'
import { shortPath } from '../files/addresses.ts'
import type { SourceFiles } from '../files/files.ts'
import {
  badPosition,
  damagedRow,
  isMarked,
  type Fields,
  type RejectedRow,
  type SourceFormat,
} from './format.ts'
import { createParquetFormat } from './parquet.ts'
import { createWebDatasetFormat, tarKeys } from './webdataset.ts'

const SHARDS_KEPT = 2
const COLUMNS = ['key', 'status', 'error_message', 'url']

/** The Parquet file beside a tar. */
export function statusFileOf(tar: string): string {
  return tar.replace(/\.tar(?=$|\?)/i, '.parquet')
}

/** @param wanted as of a WebDataset */
export function createImg2datasetFormat(
  files: SourceFiles,
  wanted: readonly string[],
  options: SourceOptions,
): SourceFormat {
  const pairs = createWebDatasetFormat(files, wanted, options)
  const statuses = createParquetFormat(files, COLUMNS)
  const lost = createCache<readonly RejectedRow[]>(SHARDS_KEPT)

  const lostOf = (tar: string, signal: AbortSignal): Promise<readonly RejectedRow[]> =>
    lost.get(tar, async () => {
      const file = statusFileOf(tar)
      try {
        await files.describe(file, signal)
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        return [damagedRow(tar, `no ${shortPath(file)}: what failed is not known`)]
      }
      const failed: RejectedRow[] = []
      const missing: RejectedRow[] = []
      let keys: ReadonlySet<string> | undefined
      for await (const row of statuses.read(file, undefined, signal)) {
        if ('code' in row) {
          failed.push(row)
        } else if (row.fields['status'] !== 'success') {
          failed.push(sourceFailed(row.fields))
        } else {
          keys ??= await tarKeys(files, tar, signal)
          const key = String(row.fields['key'])
          if (keys.has(key)) continue
          const damage = `holds no ${key}, which ${shortPath(file)} calls a success`
          missing.push({ ...damagedRow(tar, damage), ...urlOf(row.fields) })
        }
      }
      return [...failed, ...missing]
    })

  return {
    columns: (path, signal) => pairs.columns(path, signal),
    marks: async function* (path, grid, signal) {
      let row = 0
      for await (const mark of pairs.marks(path, grid, signal)) {
        if ('rows' in mark) row = mark.rows
        else yield { row: mark.row, position: { pair: mark.position } }
      }
      for (const index of (await lostOf(path, signal)).keys()) {
        if (isMarked(row, grid)) yield { row, position: { lost: index } }
        row++
      }
      yield { rows: row }
    },
    read: async function* (path, position, signal) {
      const { pair, lost: first } = toPosition(path, position)
      if (first === undefined) yield* pairs.read(path, pair, signal)
      yield* (await lostOf(path, signal)).slice(first ?? 0)
    },
    close: async () => {
      lost.clear()
      await statuses.close?.()
    },
  }
}

/** Where reading begins: at a pair of the tar, its position there, or at one of the rows after them. */
interface Position {
  readonly pair?: Json
  readonly lost?: number
}

function toPosition(path: string, position: Json | undefined): Position {
  if (position === undefined) return {}
  if (typeof position === 'object' && position !== null) {
    if ('pair' in position && position.pair !== undefined) return { pair: position.pair }
    if ('lost' in position && typeof position.lost === 'number') return { lost: position.lost }
  }
  throw badPosition(path, position)
}

/** A row that the data set itself says has no image; `error_message` is its reason. */
export function sourceFailed(fields: Fields): RejectedRow {
  const [status, message] = [fields['status'], fields['error_message']].map((value) =>
    typeof value === 'string' ? value : 'unknown',
  )
  return { code: 'source_failed', detail: `${status}: ${message}`, ...urlOf(fields) }
}

function urlOf(fields: Fields): { url?: string } {
  const { url } = fields
  return typeof url === 'string' && url !== '' ? { url } : {}
}
