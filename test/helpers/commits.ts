import type { CommitRecord } from '../../src/store/commit-record.ts'
import type { RunManifest } from '../../src/store/run-manifest.ts'

/** A record of `rows` groundings; override what the test is about. */
export function makeCommit(over: Partial<CommitRecord> = {}): CommitRecord {
  const shard = over.shard ?? 0
  return {
    formatVersion: 1,
    runId: 'run',
    shard,
    version: 1,
    rows: { start: shard * 10, end: shard * 10 + 10 },
    files: {},
    counts: { groundings: 10, rejects: 0, phrases: 10, candidates: 20, droppedPhrases: 0 },
    reasons: {},
    stats: {
      host: 'host',
      version: '0.0.0',
      provider: 'cpu',
      startedAt: '2026-01-01T00:00:00.000Z',
      seconds: 1,
      stageSeconds: {},
    },
    ...over,
  }
}

/** A manifest that goes with the records of `makeCommit`. */
export function makeManifest(over: Partial<RunManifest> = {}): RunManifest {
  const identity = { config: {}, source: {}, teacher: {} }
  return {
    formatVersion: 1,
    runId: 'run',
    config: {},
    identity,
    plan: { shards: 1, rows: 10 },
    teacher: { id: 'toy', sha256: '0'.repeat(64), defaultScore: 0.5 },
    versions: {},
    ...over,
  }
}
