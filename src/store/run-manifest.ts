// run.json and its plan: what a run is, written once before any work. Everything that changes the
// output's bytes is in the identity (run/identity.ts); a folder is never reused for another run.

import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { InputError, messageOf } from '../core/errors.ts'
import type { Json, Shard } from '../core/types.ts'
import { codeOf, publishFile } from './posix/durable.ts'

/** Raised when an older run.json would be misread. */
export const RUN_FORMAT = 1

/** run.json. */
export interface RunManifest {
  readonly formatVersion: typeof RUN_FORMAT
  readonly runId: string
  /** Every section with the defaults of the version that began the run. */
  readonly config: Json
  readonly identity: Identity
  readonly plan: { readonly shards: number; readonly rows: number }
  /** Hex sha256 of each local input as it was when the run was planned; absent: not taken. */
  readonly inputs?: Readonly<Record<string, string>>
  readonly teacher: { readonly id: string; readonly sha256: string; readonly defaultScore: number }
  /** Of the process that began the run. */
  readonly versions: Readonly<Record<string, string>>
}

/** All that decides the bytes of a shard: how its options were resolved, its input and its teacher. */
export interface Identity {
  readonly config: Json
  readonly source: Json
  readonly teacher: Json
  /** Numbers of run/meanings.ts that were not 1; absent: all were. */
  readonly meanings?: Readonly<Record<string, number>>
}

const json: z.ZodType<Json> = z.json()
const identitySchema = z.strictObject({
  config: json,
  source: json,
  teacher: json,
  meanings: z.record(z.string(), z.int().min(1)).exactOptional(),
})
const manifestSchema = z.strictObject({
  formatVersion: z.literal(RUN_FORMAT),
  runId: z.string(),
  config: json,
  identity: identitySchema,
  plan: z.strictObject({ shards: z.int().min(0), rows: z.int().min(0) }),
  inputs: z.record(z.string(), z.string()).exactOptional(),
  teacher: z.strictObject({ id: z.string(), sha256: z.string(), defaultScore: z.number() }),
  versions: z.record(z.string(), z.string()),
})

/**
 * @returns undefined if the folder holds no run
 * @throws InputError if run.json is there but was not written by us
 */
export async function readManifest(runDir: string): Promise<RunManifest | undefined> {
  const file = path.join(runDir, 'run.json')
  let text: string
  try {
    text = await fs.readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  try {
    return manifestSchema.parse(JSON.parse(text))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
    throw new InputError(`${file} is no run of this version of groundmill: ${why}`)
  }
}

/** @throws InputError if the folder holds no run */
export async function openManifest(runDir: string): Promise<RunManifest> {
  const manifest = await readManifest(runDir)
  if (manifest === undefined) {
    throw new InputError(`${runDir} holds no run.json: it is not the folder of a groundmill run`)
  }
  return manifest
}

/** Written last of the two files, so that a run.json has its plan. False if another process was first. */
export async function publishManifest(runDir: string, manifest: RunManifest): Promise<boolean> {
  return publishFile(path.join(runDir, 'run.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

const shardSchema = z.strictObject({
  id: z.int().min(0),
  start: z.int().min(0),
  end: z.int().min(0),
  cursor: json,
})

/** Named after the run, so that planners of different configs never mix their lines. */
function planFile(runDir: string, runId: string): string {
  return path.join(runDir, `plan-${runId}.jsonl`)
}

/** One shard per line. Written before run.json; all planners of one run write the same lines. */
export async function publishPlan(
  runDir: string,
  runId: string,
  lines: readonly string[],
): Promise<void> {
  await publishFile(planFile(runDir, runId), lines.map((line) => `${line}\n`).join(''))
}

/** The shards by id. @throws InputError naming the file that is not there or the line that is no shard */
export async function readPlan(runDir: string, runId: string): Promise<Shard[]> {
  const file = planFile(runDir, runId)
  let text: string
  try {
    text = await fs.readFile(file, 'utf8')
  } catch (error) {
    throw new InputError(
      `${file} cannot be read, so the folder is damaged; restore the file or choose another --out: ` +
        messageOf(error),
      { cause: error },
    )
  }
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line, index) => {
    try {
      return shardSchema.parse(JSON.parse(line))
    } catch (error) {
      throw new InputError(`${file}, line ${index + 1}: not a shard: ${messageOf(error)}`)
    }
  })
}
