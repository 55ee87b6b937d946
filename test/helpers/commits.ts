import type { CommitRecord } from '../../src/store/commit-record.ts'

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
