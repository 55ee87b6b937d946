// Totals of a run, from commit records alone: the same after any number of resumes, on any machine.

import { z } from 'zod'
import { REASONS, type ReasonCode, type StageName } from '../core/reasons.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import type { RunManifest } from '../store/run-manifest.ts'
import { FAILURES_FILE, type RunStore } from '../store/run-store.ts'

/** Totals of a run. */
export interface RunSummary {
  readonly runId: string
  readonly isComplete: boolean
  readonly shards: { readonly total: number; readonly committed: number }
  readonly rows: { readonly total: number; readonly committed: number }
  readonly counts: CommitRecord['counts']
  /** Rejects per reason code, most frequent first. */
  readonly reasons: Readonly<Partial<Record<ReasonCode, number>>>
  /** Rejects per stage that gave the row up, in pipeline order. */
  readonly stages: Readonly<Partial<Record<StageName, number>>>
  /** Rows per second over the shards that finished within an hour of the last one; 0 if none did. */
  readonly rowsPerSecond: number
  /** At that rate; null when nothing is left or nothing was done. */
  readonly etaSeconds: number | null
  /** Shards by the version of groundmill that labelled them, oldest first; absent while there is one. */
  readonly versions?: Readonly<Record<string, number>>
}

const RATE_WINDOW_MS = 3_600_000

/** @param commits one per committed shard, in any order */
export function summarize(manifest: RunManifest, commits: readonly CommitRecord[]): RunSummary {
  const counts = { groundings: 0, rejects: 0, phrases: 0, candidates: 0, droppedPhrases: 0 }
  const reasons = new Map<ReasonCode, number>()
  let rows = 0
  for (const commit of commits) {
    rows += commit.rows.end - commit.rows.start
    for (const key of Object.keys(counts) as (keyof typeof counts)[])
      counts[key] += commit.counts[key]
    for (const [code, count] of Object.entries(commit.reasons) as [ReasonCode, number][]) {
      reasons.set(code, (reasons.get(code) ?? 0) + count)
    }
  }
  const rate = recentRate(commits)
  const left = manifest.plan.rows - rows
  return {
    runId: manifest.runId,
    isComplete: commits.length === manifest.plan.shards,
    shards: { total: manifest.plan.shards, committed: commits.length },
    rows: { total: manifest.plan.rows, committed: rows },
    counts,
    reasons: Object.fromEntries([...reasons].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
    stages: perStage(reasons),
    rowsPerSecond: rate,
    etaSeconds: left > 0 && rate > 0 ? left / rate : null,
    ...perVersion(commits),
  }
}

function perVersion(commits: readonly CommitRecord[]): Pick<RunSummary, 'versions'> {
  const shards = new Map<string, number>()
  for (const { stats } of commits) shards.set(stats.version, (shards.get(stats.version) ?? 0) + 1)
  if (shards.size <= 1) return {}
  const sorted = [...shards].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
  return { versions: Object.fromEntries(sorted) }
}

function perStage(reasons: ReadonlyMap<ReasonCode, number>): RunSummary['stages'] {
  const stages: Partial<Record<StageName, number>> = {}
  // Codes are declared in pipeline order.
  for (const [code, { stage }] of Object.entries(REASONS) as [ReasonCode, { stage: StageName }][]) {
    const count = reasons.get(code)
    if (count !== undefined) stages[stage] = (stages[stage] ?? 0) + count
  }
  return stages
}

function recentRate(commits: readonly CommitRecord[]): number {
  const spans = commits.map(({ rows, stats }) => {
    const start = Date.parse(stats.startedAt)
    return { start, end: start + stats.seconds * 1000, rows: rows.end - rows.start }
  })
  const last = spans.reduce((latest, { end }) => Math.max(latest, end), 0)
  const recent = spans.filter(({ end }) => end > last - RATE_WINDOW_MS)
  const first = recent.reduce((earliest, { start }) => Math.min(earliest, start), last)
  const rows = recent.reduce((sum, span) => sum + span.rows, 0)
  return last > first ? rows / ((last - first) / 1000) : 0
}

const failureSchema = z.object({ shard: z.number(), at: z.string(), error: z.string() })

/** A line of failures.jsonl; `at` as in ISO 8601. */
export type ShardFailure = z.output<typeof failureSchema>

/** The last failure of each shard that is not committed since. */
export async function readFailures(
  store: RunStore,
  commits: readonly CommitRecord[],
): Promise<ShardFailure[]> {
  const text = (await store.read(FAILURES_FILE)) ?? ''
  const done = new Set(commits.map(({ shard }) => shard))
  const last = new Map<number, ShardFailure>()
  for (const line of text.split('\n')) {
    try {
      const failure = failureSchema.parse(JSON.parse(line))
      if (!done.has(failure.shard)) last.set(failure.shard, failure)
    } catch {
      // a line cut by a kill; these lines are notes only
    }
  }
  return [...last.values()].sort((a, b) => a.shard - b.shard)
}
