// Which hosts lose most rows, from the rejects of committed shards.

import type { ReasonCode } from '../core/reasons.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import type { RunStore } from '../store/run-store.ts'
import { openShard } from '../store/shards.ts'

/** What one host cost. */
export interface HostFailures {
  readonly host: string
  readonly rows: number
  /** Rows per reason code, most frequent first. */
  readonly reasons: Readonly<Partial<Record<ReasonCode, number>>>
}

/** Hosts that are told apart; rows of any further ones are not counted. Bounds memory. */
const MAX_HOSTS = 200_000

/** Those with most lost rows first. @throws InputError if the rejects of a shard cannot be read */
export async function readHostFailures(
  store: RunStore,
  commits: readonly CommitRecord[],
): Promise<HostFailures[]> {
  const hosts = new Map<string, Map<ReasonCode, number>>()
  for (const commit of commits) {
    if (commit.counts.rejects === 0) continue
    for await (const { host, code } of openShard(store, commit).rejects()) {
      if (host === undefined) continue
      let reasons = hosts.get(host)
      if (reasons === undefined) {
        if (hosts.size >= MAX_HOSTS) continue
        reasons = new Map<ReasonCode, number>()
        hosts.set(host, reasons)
      }
      reasons.set(code, (reasons.get(code) ?? 0) + 1)
    }
  }
  return [...hosts]
    .map(([host, reasons]) => ({
      host,
      rows: [...reasons.values()].reduce((sum, count) => sum + count, 0),
      reasons: Object.fromEntries([...reasons].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
    }))
    .sort((a, b) => b.rows - a.rows || (a.host < b.host ? -1 : 1))
}
