// run.json and its plan: what a run is, written once before any work. Everything that changes the
// output's bytes is hashed into the run id; a folder is never reused for another id.

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ConfigError, InputError, messageOf } from '../core/errors.ts'
import type { Json, Shard } from '../core/types.ts'
import { readJsonLines } from './json-lines.ts'
import { createPosixStore } from './posix/posix-store.ts'
import type { RunStore } from './run-store.ts'

/** Raised when an older run.json would be misread. */
export const RUN_FORMAT = 1

/** run.json. */
export interface RunManifest {
  readonly formatVersion: typeof RUN_FORMAT
  readonly runId: string
  /** Every section with its defaults filled in. */
  readonly config: Json
  /** What the run id is the hash of. */
  readonly identity: Identity
  readonly plan: { readonly shards: number; readonly rows: number }
  /** Hex sha256 of each local input as it was when the run was planned; absent: not taken. */
  readonly inputs?: Readonly<Record<string, string>>
  readonly teacher: { readonly id: string; readonly sha256: string; readonly defaultScore: number }
  /** Of the process that began the run. */
  readonly versions: Readonly<Record<string, string>>
}

/** All that decides the bytes of a shard; compared field by field when a run is opened again. */
export interface Identity {
  readonly config: Json
  readonly source: Json
  readonly teacher: Json
}

const MANIFEST_FILE = 'run.json'

const json: z.ZodType<Json> = z.json()
const manifestSchema = z.strictObject({
  formatVersion: z.literal(RUN_FORMAT),
  runId: z.string(),
  config: json,
  identity: z.strictObject({ config: json, source: json, teacher: json }),
  plan: z.strictObject({ shards: z.int().min(0), rows: z.int().min(0) }),
  inputs: z.record(z.string(), z.string()).exactOptional(),
  teacher: z.strictObject({ id: z.string(), sha256: z.string(), defaultScore: z.number() }),
  versions: z.record(z.string(), z.string()),
})

/** 16 hex digits over the identity with sorted keys. */
export function runIdOf(identity: Identity): string {
  return createHash('sha256')
    .update(canonicalJson({ ...identity }))
    .digest('hex')
    .slice(0, 16)
}

/** JSON with object keys sorted and without spaces. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

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

/** @throws ConfigError listing every field that differs, if the folder belongs to another run */
export function assertSameRun(runDir: string, stored: RunManifest, identity: Identity): void {
  if (stored.runId === runIdOf(identity)) return
  const differences = diff('', { ...stored.identity }, { ...identity })
  const shown = differences.slice(0, MAX_DIFFERENCES)
  const more = differences.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  throw new ConfigError(
    `${runDir} belongs to run ${stored.runId}, which was made with another config, source or ` +
      `teacher. Choose another --out, or restore what differs:\n` +
      shown.map((line) => `  ${line}`).join('\n'),
  )
}

/** A source of thousands of files may differ in each of them. */
const MAX_DIFFERENCES = 20

function diff(name: string, before: Json | undefined, now: Json | undefined): string[] {
  if (isObject(before) && isObject(now)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
    return keys.flatMap((key) => diff(name === '' ? key : `${name}.${key}`, before[key], now[key]))
  }
  if (isList(before) && isList(now)) {
    const indices = Array.from({ length: Math.max(before.length, now.length) }, (_, index) => index)
    return indices.flatMap((index) => diff(`${name}[${index}]`, before[index], now[index]))
  }
  const [a, b] = [before, now].map((value) =>
    value === undefined ? '(not set)' : canonicalJson(value),
  )
  return a === b ? [] : [`${name}: the run has ${a}, now ${b}`]
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
  for await (const shard of readJsonLines(store, planFile(runId), { what: 'shard', parse })) {
    shards.push(shard)
  }
  return shards
}
