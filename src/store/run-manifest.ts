// run.json and its plan: what a run is, written once before any work. Everything that changes the
// output's bytes is in the identity (run/identity.ts); a folder is never reused for another run.

import { z } from 'zod'
import { InputError, messageOf } from '../core/errors.ts'
import type { Json, Shard } from '../core/types.ts'
import { readJsonLines } from './json-lines.ts'
import { createPosixStore } from './posix/posix-store.ts'
import type { RunStore } from './run-store.ts'

/** Raised when an older run.json would be misread. */
export const RUN_FORMAT = 1

const MANIFEST_FILE = 'run.json'

const json: z.ZodType<Json> = z.json()
const identitySchema = z.strictObject({
  config: json,
  source: json,
  teacher: json,
  /** Numbers of run/meanings.ts that were not 1; absent: all were. */
  meanings: z.record(z.string(), z.int().min(1)).exactOptional(),
})
const manifestSchema = z.strictObject({
  formatVersion: z.literal(RUN_FORMAT),
  runId: z.string(),
  /** Every section with the defaults of the version that began the run. */
  config: json,
  identity: identitySchema,
  plan: z.strictObject({ shards: z.int().min(0), rows: z.int().min(0) }),
  /** Hex sha256 of each local input as it was when the run was planned; absent: not taken. */
  inputs: z.record(z.string(), z.string()).exactOptional(),
  teacher: z.strictObject({ id: z.string(), sha256: z.string(), defaultScore: z.number() }),
  /** Of the process that began the run. */
  versions: z.record(z.string(), z.string()),
})

/** All that decides the bytes of a shard: how its options were resolved, its input and its teacher. */
export type Identity = z.output<typeof identitySchema>

/** run.json. */
export type RunManifest = z.output<typeof manifestSchema>

/**
 * @returns undefined if the folder holds no run
 * @throws InputError if run.json is there but was not written by us
 */
export async function readManifest(store: RunStore): Promise<RunManifest | undefined> {
  const text = await store.read(MANIFEST_FILE)
  if (text === undefined) return undefined
  try {
    return manifestSchema.parse(JSON.parse(text))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
    const file = store.address(MANIFEST_FILE)
    throw new InputError(`${file} is no run of this version of groundmill: ${why}`)
  }
}

/** @throws InputError if the folder holds no run */
export async function openManifest(runDir: string): Promise<RunManifest> {
  const manifest = await readManifest(createPosixStore(runDir))
  if (manifest === undefined) {
    throw new InputError(`${runDir} holds no run.json: it is not the folder of a groundmill run`)
  }
  return manifest
}

/** Written last of the two files, so that a run.json has its plan. False if another process was first. */
export async function publishManifest(store: RunStore, manifest: RunManifest): Promise<boolean> {
  return store.publish(MANIFEST_FILE, `${JSON.stringify(manifest, null, 2)}\n`)
}

const shardSchema = z.strictObject({
  id: z.int().min(0),
  start: z.int().min(0),
  end: z.int().min(0),
  cursor: json,
})

/** Named after the run, so that planners of different configs never mix their lines. */
function planFile(runId: string): string {
  return `plan-${runId}.jsonl`
}

/** One shard per line. Written before run.json; all planners of one run write the same lines. */
export async function publishPlan(
  store: RunStore,
  runId: string,
  shards: readonly Shard[],
): Promise<void> {
  const lines = shards.map((shard) => `${JSON.stringify(shard)}\n`)
  await store.publish(planFile(runId), lines.join(''))
}

/** The shards by id. @throws InputError naming the file that is not there or the line that is no shard */
export async function readPlan(store: RunStore, runId: string): Promise<Shard[]> {
  const shards: Shard[] = []
  const parse = (value: unknown) => shardSchema.parse(value)
  const lines = { name: planFile(runId), what: 'shard', parse }
  for await (const shard of readJsonLines(store, lines)) shards.push(shard)
  return shards
}
