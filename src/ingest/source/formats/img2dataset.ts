// What img2dataset wrote: pairs in NNNNN.tar, and NNNNN.parquet with a status for every row, of which
// the tar holds only the successes. The rows of a shard: the tar's samples in their order, then what
// failed there, then what should be in the tar and is not.

import { z } from 'zod'
import type { Json } from '../../../core/types.ts'
import type { SourceOptions } from '../options.ts'
import { createCache } from '../../../system/cache.ts'
import { shortPath } from '../files/addresses.ts'
import { isThere, type SourceFile } from '../files/files.ts'
import {
  damagedRow,
  isMarked,
  toPosition,
  type Fields,
  type RejectedRow,
  type SourceFormat,
} from './format.ts'
import { createParquetFormat } from './parquet.ts'
import { createWebDatasetFormat, tarKeys } from './webdataset.ts'

const SHARDS_KEPT = 2
const COLUMNS = ['key', 'status', 'error_message', 'url']

/** Where reading begins: at a pair of the tar, its position there, or at one of the rows after them. */
const positionSchema = z
  .union([
    z.object({ pair: z.custom<Json>((json) => json !== undefined) }),
    z.object({ lost: z.number() }),
  ])
  .optional()

/** The Parquet file beside a tar. */
export function statusFileOf(tar: SourceFile): SourceFile {
  return tar.beside(tar.path.replace(/\.tar(?=$|\?)/i, '.parquet'))
}

/** @param wanted as of a WebDataset */
export function createImg2datasetFormat(
  wanted: readonly string[],
  options: SourceOptions,
): SourceFormat {
  const pairs = createWebDatasetFormat(wanted, options)
  const statuses = createParquetFormat(COLUMNS)
  const lost = createCache<readonly RejectedRow[]>(SHARDS_KEPT)

  const lostOf = (tar: SourceFile): Promise<readonly RejectedRow[]> =>
    lost.get(tar.path, async () => {
      const file = statusFileOf(tar)
      const shown = shortPath(file.path)
      if (!(await isThere(file))) {
        return [damagedRow(tar.path, `no ${shown}: what failed is not known`)]
      }
      const failed: RejectedRow[] = []
      const missing: RejectedRow[] = []
      let keys: ReadonlySet<string> | undefined
      for await (const row of statuses.read(file, undefined)) {
        if ('code' in row) {
          failed.push(row)
        } else if (row.fields['status'] !== 'success') {
          failed.push(sourceFailed(row.fields))
        } else {
          keys ??= await tarKeys(tar)
          const key = String(row.fields['key'])
          if (keys.has(key)) continue
          const damage = `holds no ${key}, which ${shown} calls a success`
          missing.push({ ...damagedRow(tar.path, damage), ...urlOf(row.fields) })
        }
      }
      return [...failed, ...missing]
    })

  return {
    columns: (tar) => pairs.columns(tar),
    marks: async function* (tar, grid) {
      let row = 0
      for await (const mark of pairs.marks(tar, grid)) {
        if ('rows' in mark) row = mark.rows
        else yield { row: mark.row, position: { pair: mark.position } }
      }
      for (const index of (await lostOf(tar)).keys()) {
        if (isMarked(row, grid)) yield { row, position: { lost: index } }
        row++
      }
      yield { rows: row }
    },
    read: async function* (tar, position) {
      const start = toPosition(positionSchema, tar.path, position) ?? { pair: undefined }
      if ('pair' in start) yield* pairs.read(tar, start.pair)
      yield* (await lostOf(tar)).slice('lost' in start ? start.lost : 0)
    },
  }
}

/** A row that the data set itself says has no image; `error_message` is its reason. */
function sourceFailed(fields: Fields): RejectedRow {
  const [status, message] = [fields['status'], fields['error_message']].map((value) =>
    typeof value === 'string' ? value : 'unknown',
  )
  return { code: 'source_failed', detail: `${status}: ${message}`, ...urlOf(fields) }
}

function urlOf(fields: Fields): { url?: string } {
  const { url } = fields
  return typeof url === 'string' && url !== '' ? { url } : {}
}
