// What a run is: config, source and teacher make its identity; the identity and the plan make its
// folder. Opening a folder again checks that it belongs to the same run.

import { outputConfig, type Config } from '../config.ts'
import { InputError } from '../core/errors.ts'
import type { Json, Shard } from '../core/types.ts'
import { identifyHooks } from '../ingest/fetch/hooks.ts'
import type { CaptionSource } from '../ingest/source/source.ts'
import {
  assertSameRun,
  publishManifest,
  publishPlan,
  readManifest,
  RUN_FORMAT,
  runIdOf,
  type Identity,
  type RunManifest,
} from '../store/run-manifest.ts'
import type { RunStore } from '../store/run-store.ts'
import { describeTeacher } from '../teacher/open-teacher.ts'
import { VERSION } from '../version.ts'
import { confirmInputs } from './input-hashes.ts'
import type { Progress } from './progress.ts'

/** A run before its folder: what decides its bytes, and the teacher as it will be recorded. */
export interface RunIdentity {
  readonly runId: string
  readonly identity: Identity
  readonly teacher: RunManifest['teacher']
}

/** @throws ConfigError or InputError if the configured teacher cannot be found or read */
export async function identifyRun(config: Config, source: CaptionSource): Promise<RunIdentity> {
  const teacher = await describeTeacher(config.teacher)
  const identity: Identity = {
    config: await withHooks(config),
    source: source.identity,
    teacher: { id: teacher.id, sha256: teacher.sha256 },
  }
  return { runId: runIdOf(identity), identity, teacher }
}

/** The config with its hooks and lists by content instead of by path. */
async function withHooks(config: Config): Promise<Json> {
  const output = outputConfig(config) as { readonly fetch: Readonly<Record<string, Json>> }
  return { ...output, fetch: { ...output.fetch, ...(await identifyHooks(config.fetch)) } }
}

/** How a run that is there already is opened. */
export interface FindOptions {
  /** Compare the whole bytes of every local input, not just of those with another time. */
  readonly verifyInputs: boolean
  readonly progress: Progress
  readonly signal: AbortSignal
}

/**
 * @returns the manifest, or undefined if the folder holds no run yet
 * @throws ConfigError listing the fields that differ, if the folder belongs to another run
 */
export async function findRun(
  store: RunStore,
  { identity }: RunIdentity,
  { verifyInputs, progress, signal }: FindOptions,
): Promise<RunManifest | undefined> {
  const stored = await readManifest(store)
  if (stored === undefined) return undefined
  const confirmed = await confirmInputs(stored, identity, verifyInputs, progress, signal)
  assertSameRun(store.location, stored, confirmed)
  return stored
}

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
 */
export async function beginRun(
  store: RunStore,
  config: Config,
  { runId, identity, teacher }: RunIdentity,
  { shards, rows, inputs }: Plan,
): Promise<RunManifest> {
  await publishPlan(store, runId, shards)
  const manifest: RunManifest = {
    formatVersion: RUN_FORMAT,
    runId,
    config: JSON.parse(JSON.stringify(config)) as Json,
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
  assertSameRun(location, other, identity)
  return other
}
