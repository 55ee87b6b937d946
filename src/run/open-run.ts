// The folder of a run: a run is planned and begun in an empty one; a folder that holds one already must
// hold the same.

import type { Config } from '../config.ts'
import { InputError } from '../core/errors.ts'
import type { Json, Shard } from '../core/types.ts'
import type { CaptionSource } from '../ingest/source/source.ts'
import {
  publishManifest,
  publishPlan,
  readManifest,
  RUN_FORMAT,
  type RunManifest,
} from '../store/run-manifest.ts'
import type { RunStore } from '../store/run-store.ts'
import { VERSION } from '../version.ts'
import { assertSameRun, inTodaysTerms, type RunIdentity } from './identity.ts'
import { confirmInputs, type ConfirmOptions } from './input-hashes.ts'

/**
 * @returns the manifest, or undefined if the folder holds no run yet
 * @throws ConfigError listing the fields that differ, if the folder belongs to another run
 */
export async function findRun(
  store: RunStore,
  { identity }: RunIdentity,
  options: ConfirmOptions,
): Promise<RunManifest | undefined> {
  const stored = await readManifest(store)
  if (stored === undefined) return undefined
  const today = inTodaysTerms(store.location, stored)
  assertSameRun(store.location, today, await confirmInputs(stored, identity, options))
  return stored
}

/** The shards of a run before it is begun. */
export interface Plan {
  readonly shards: readonly Shard[]
  readonly rows: number
  /** As in the manifest. */
  readonly inputs?: RunManifest['inputs']
}

/** @throws InputError if there is nothing to label */
export async function planShards(
  { run }: Config,
  source: CaptionSource,
  signal: AbortSignal,
): Promise<Plan> {
  const shards: Shard[] = []
  for await (const shard of limited(source.plan(run.samplesPerShard, signal), run.limit)) {
    shards.push(shard)
  }
  const rows = shards.at(-1)?.end ?? 0
  if (rows === 0) throw new InputError('the source has no rows')
  return { shards, rows }
}

/** Stops at the row limit; the last shard is cut. */
async function* limited(
  shards: AsyncIterable<Shard>,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<Shard> {
  for await (const shard of shards) {
    yield shard.end <= limit ? shard : { ...shard, end: limit }
    if (shard.end >= limit) return
  }
}

/**
 * Writes plan and manifest; the folder is there. If another process writes them at the same time, its
 * files stay and must be the same.
 *
 * @throws ConfigError if that process began another run
 */
export async function beginRun(
  store: RunStore,
  { runId, identity, config, teacher }: RunIdentity,
  { shards, rows, inputs }: Plan,
): Promise<RunManifest> {
  await publishPlan(store, runId, shards)
  const manifest: RunManifest = {
    formatVersion: RUN_FORMAT,
    runId,
    config: JSON.parse(JSON.stringify(config)) as Json, // undefined keys vanish
    identity,
    plan: { shards: shards.length, rows },
    ...(inputs === undefined ? {} : { inputs }),
    teacher,
    versions: { groundmill: VERSION, node: process.versions.node },
  }
  if (await publishManifest(store, manifest)) return manifest
  const other = await readManifest(store)
  const { location } = store
  if (other === undefined)
    throw new InputError(`${location}/run.json was removed while it was made`)
  assertSameRun(location, inTodaysTerms(location, other), identity)
  return other
}
