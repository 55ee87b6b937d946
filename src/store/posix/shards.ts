// What exports and tools that know a folder, not a store, read of a run.

import { committedShards, type CommittedShard } from '../shards.ts'
import { createPosixStore } from './posix-store.ts'

export { shardName, type CommittedShard } from '../shards.ts'

/** Committed shards of a run folder by shard id, each in its newest version. */
export function readCommittedShards(runDir: string): AsyncIterable<CommittedShard> {
  return committedShards(createPosixStore(runDir))
}
