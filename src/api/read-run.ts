// What a run folder holds, for programs: the committed rows, those that a filter keeps, and what was lost.

import type { Config } from '../config.ts'
import type { Reject } from '../core/reasons.ts'
import type { GroundingRow } from '../core/types.ts'
import { filterRun, type FilteredRun } from '../filter/filter-run.ts'
import { createPosixStore } from '../store/posix/posix-store.ts'
import { openManifest } from '../store/run-manifest.ts'
import { committedShards } from '../store/shards.ts'

/**
 * The rows of all committed shards in order, one row group in memory at a time. A run may go on meanwhile.
 *
 * @throws InputError naming a file that cannot be read
 */
export async function* readGroundings(runDir: string): AsyncGenerator<GroundingRow> {
  for await (const shard of committedShards(createPosixStore(runDir))) yield* shard.rows()
}

/**
 * The rows that reached no teacher, with stage and reason code, in order.
 *
 * @throws InputError naming a file that cannot be read
 */
export async function* readRejects(runDir: string): AsyncGenerator<Reject> {
  for await (const shard of committedShards(createPosixStore(runDir))) yield* shard.rejects()
}

/**
 * The committed rows through the sections `filter:` and `balance:` of a config, as an export applies them.
 *
 * @throws InputError if the folder is no run; ConfigError for an option that names a file which is no such file
 */
export async function filterGroundings(
  runDir: string,
  { filter, balance }: Pick<Config, 'filter' | 'balance'>,
): Promise<FilteredRun> {
  const { teacher } = await openManifest(runDir)
  return filterRun(() => readGroundings(runDir), filter, balance, teacher.defaultScore)
}
