// What became of the rows of a shard. Every row ends as a grounding or as a reject; the equation is checked
// before anything is published.

import { ShardError, type SampleError } from '../core/errors.ts'
import { isSealed, stageOf, type ReasonCode, type Reject } from '../core/reasons.ts'
import type { GroundingRow, Shard } from '../core/types.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import type { UrlDigest } from '../store/url-digest.ts'
import type { KeptRows } from './kept-rows.ts'

/** Zero-padded shard id + row in shard; five digits each, more for shard ids from 100,000. */
export function keyOf(shard: Shard, row: number): string {
  return String(shard.id).padStart(5, '0') + String(row - shard.start).padStart(5, '0')
}

/** What is known of a lost row. */
type Lost = Pick<Reject, 'row' | 'code' | 'detail'> & {
  readonly [Key in 'url' | 'httpStatus' | 'host' | 'attempts' | 'time' | 'urlDigest']?:
    Reject[Key] | undefined
}

/** How the rows ended, each kind in row order. */
export interface Balance extends Pick<CommitRecord, 'counts' | 'reasons'> {
  readonly rows: readonly GroundingRow[]
  readonly rejects: readonly Reject[]
}

/** Takes the rows as they end, in any order. */
export class ShardAccounts {
  readonly #shard: Shard
  readonly #kept: KeptRows | undefined
  readonly #onRow: () => void
  readonly #rows: GroundingRow[] = []
  readonly #rejects: Reject[] = []
  #droppedPhrases = 0

  /**
   * @param kept rows that are taken over from the version before
   * @param onRow called once per row as soon as its fate is known
   */
  constructor(shard: Shard, kept: KeptRows | undefined, onRow: () => void) {
    this.#shard = shard
    this.#kept = kept
    this.#onRow = onRow
  }

  /** @param droppedPhrases how many phrases no prompt could hold */
  ground(row: GroundingRow, droppedPhrases: number): void {
    this.#droppedPhrases += droppedPhrases
    this.#rows.push(row)
    this.#onRow()
  }

  reject({ row, code, detail, ...context }: Lost): void {
    const { url, httpStatus, host, attempts, time, urlDigest } = context
    this.#rejects.push({
      key: keyOf(this.#shard, row),
      row,
      stage: stageOf(code),
      code,
      detail,
      ...known({ url, httpStatus, host, attempts, time, urlDigest }),
    })
    this.#onRow()
  }

  /** With the URL of the row's image, which a sealed reject must not name. */
  rejectError({ row, url }: Pick<GroundingRow, 'row' | 'url'>, error: SampleError): void {
    const { code, message: detail, context } = error
    const { httpStatus, host, attempts, time, urlDigest } = context
    const more = isSealed(code)
      ? { time, urlDigest }
      : { url: url ?? undefined, httpStatus, host, attempts }
    this.reject({ row, code, detail, ...more })
  }

  /** True if a row has another fate than in the version before, or there is none. */
  hasChanged(): boolean {
    const kept = this.#kept
    return (
      kept === undefined ||
      this.#rows.length > 0 ||
      this.#rejects.some(({ row, code }) => kept.retried.get(row) !== code)
    )
  }

  /** Once every row has ended. @throws ShardError as assertAccounted */
  close(digestUrl: UrlDigest): Balance {
    const kept = this.#kept ?? { rows: [], rejects: [], droppedPhrases: 0 }
    const rows = [...this.#rows, ...kept.rows].sort((a, b) => a.row - b.row)
    const rejects = sealRejects([...this.#rejects, ...kept.rejects], digestUrl).sort(
      (a, b) => a.row - b.row,
    )
    assertAccounted(this.#shard, { rows, rejects })
    const sum = (count: (row: GroundingRow) => number) =>
      rows.reduce((total, row) => total + count(row), 0)
    const counts = {
      groundings: rows.length,
      rejects: rejects.length,
      phrases: sum((row) => row.phrases.length),
      candidates: sum((row) => row.candidates.length),
      droppedPhrases: this.#droppedPhrases + kept.droppedPhrases,
    }
    return { rows, rejects, counts, reasons: countReasons(rejects) }
  }
}

/** By code. */
function countReasons(rejects: readonly Reject[]): CommitRecord['reasons'] {
  const reasons: Partial<Record<ReasonCode, number>> = {}
  for (const { code } of rejects) reasons[code] = (reasons[code] ?? 0) + 1
  return Object.fromEntries(Object.entries(reasons).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Leaves out what is undefined. */
function known<T extends object>(fields: T) {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  // The keys are those of the fields.
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> }
}

/**
 * Every row of the shard is a grounding or a reject, and only one of them.
 *
 * @throws ShardError naming the first row that is lost, doubled or not of this shard
 */
export function assertAccounted(
  { id, start, end }: Pick<Shard, 'id' | 'start' | 'end'>,
  { rows, rejects }: Readonly<Record<'rows' | 'rejects', readonly { readonly row: number }[]>>,
): void {
  const seen = new Uint8Array(end - start)
  const counts =
    `shard ${id} has ${end - start} rows, but ${rows.length} groundings and ` +
    `${rejects.length} rejects`
  for (const { row } of [...rows, ...rejects]) {
    if (row < start || row >= end)
      throw new ShardError(`${counts}: row ${row} is not of this shard`)
    if (seen[row - start] !== 0) throw new ShardError(`${counts}: row ${row} ended twice`)
    seen[row - start] = 1
  }
  const lost = seen.indexOf(0)
  if (lost >= 0) throw new ShardError(`${counts}: row ${start + lost} is lost`)
}

/** Hides the URL of a sealed reject in all others of the shard that have it, whatever their code. */
function sealRejects(rejects: Reject[], digestUrl: UrlDigest): Reject[] {
  const sealed = new Set(rejects.flatMap(({ urlDigest }) => urlDigest ?? []))
  if (sealed.size === 0) return rejects
  return rejects.map((reject) => {
    const { url, host: _, ...others } = reject
    const urlDigest = url === undefined ? undefined : digestUrl(url)
    return urlDigest !== undefined && sealed.has(urlDigest) ? { ...others, urlDigest } : reject
  })
}
