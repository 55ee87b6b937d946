// The shards of a run: how their folders are called, what lies in them, which of them are committed.

import pLimit from 'p-limit'
import { z } from 'zod'
import { InputError, messageOf, ShardError } from '../core/errors.ts'
import type { Reject } from '../core/reasons.ts'
import type { GroundingRow } from '../core/types.ts'
import { commitRecordSchema, type CommitRecord } from './commit-record.ts'
import { readGroundings } from './groundings.ts'
import { readImagesTar, type StoredImage } from './images-tar.ts'
import { readRejects } from './rejects.ts'
import {
  COMMIT_FILE,
  SHARDS_FOLDER,
  type Attempt,
  type RunStore,
  type ShardVersion,
  type StoredFile,
} from './run-store.ts'

/** The rows that reached the teacher; see groundings.ts. */
export const GROUNDINGS_FILE = 'groundings.parquet'
/** The images of those rows, unless they are referenced in place; see images-tar.ts. */
export const IMAGES_FILE = 'images.tar'
/** The other rows; see rejects.ts. */
export const REJECTS_FILE = 'rejects.jsonl'

/** A shard whose commit record exists and parses; the files are those of its newest version. */
export interface CommittedShard {
  readonly id: number
  readonly commit: CommitRecord
  /** In row order. */
  rows(): AsyncIterable<GroundingRow>
  /** In row order; nothing when images are referenced in place. */
  images(): AsyncIterable<StoredImage>
  /** In row order. @throws InputError naming the line that is none */
  rejects(): AsyncIterable<Reject>
}

/** Five digits, more from 100,000. */
export function shardName(id: number): string {
  return String(id).padStart(5, '0')
}

/** `shards/00042`, `shards/00042.v2`: the folder of a version, relative to the run's. */
export function shardFolder({ shard, version }: ShardVersion): string {
  return `${SHARDS_FOLDER}/${shardName(shard)}${version === 1 ? '' : `.v${version}`}`
}

/** Newest published version per shard id, ascending by id, from one look at the folder. */
async function publishedVersions(store: RunStore): Promise<ShardVersion[]> {
  const versions = new Map<number, number>()
  for (const name of await store.list(SHARDS_FOLDER)) {
    const match = /^(\d{5,})(?:\.v(\d+))?$/.exec(name)
    if (match === null) continue
    const id = Number(match[1])
    versions.set(id, Math.max(versions.get(id) ?? 0, Number(match[2] ?? 1)))
  }
  return [...versions]
    .map(([shard, version]) => ({ shard, version }))
    .sort((a, b) => a.shard - b.shard)
}

/** Commit records read at once. */
const OPEN_RECORDS = 64

/**
 * Commit records of all committed shards, by shard id.
 *
 * @param onDamage told of a record that does not parse, which is then left out; absent: it is thrown
 * @throws InputError naming a record that does not parse: such a folder was not made by a commit
 */
export async function readCommits(
  store: RunStore,
  onDamage?: (shard: number, error: InputError) => void,
): Promise<CommitRecord[]> {
  const limit = pLimit(OPEN_RECORDS)
  const read = async (of: ShardVersion) => {
    try {
      return await readCommit(store, of)
    } catch (error) {
      if (onDamage === undefined || !(error instanceof InputError)) throw error
      onDamage(of.shard, error)
      return undefined
    }
  }
  const versions = await publishedVersions(store)
  const records = await Promise.all(versions.map((of) => limit(() => read(of))))
  return records.filter((record) => record !== undefined)
}

/** The shard's newest commit record, or undefined if it is not committed. */
export async function findCommit(
  store: RunStore,
  shard: number,
): Promise<CommitRecord | undefined> {
  // One shard's folders, not a look at all of them: this is asked for every shard of a run.
  let newest: CommitRecord | undefined
  for (let version = 1; ; version++) {
    const record = await readCommit(store, { shard, version })
    if (record === undefined) return newest
    newest = record
  }
}

/** Undefined for a folder without a record: an empty folder is no shard. */
async function readCommit(store: RunStore, of: ShardVersion): Promise<CommitRecord | undefined> {
  const folder = shardFolder(of)
  const text = await store.read(`${folder}/${COMMIT_FILE}`)
  if (text === undefined) return undefined
  let why: string
  try {
    const record = commitRecordSchema.parse(JSON.parse(text))
    if (record.shard === of.shard) return record
    why = `it is the record of shard ${record.shard}`
  } catch (error) {
    why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
  }
  throw new InputError(
    `${store.address(`${folder}/${COMMIT_FILE}`)} does not parse; remove the folder ` +
      `${store.address(folder)} to label that shard again:\n${why}`,
  )
}

/** Committed shards by shard id, each in its newest version. */
export async function* committedShards(store: RunStore): AsyncIterable<CommittedShard> {
  for (const version of await publishedVersions(store)) {
    const commit = await readCommit(store, version)
    if (commit !== undefined) yield openShard(store, commit)
  }
}

/** The files that a commit record speaks of. */
export function openShard(store: RunStore, commit: CommitRecord): CommittedShard {
  const nameOf = (name: string) => `${shardFolder(commit)}/${name}`
  async function* opened<T>(name: string, read: (file: StoredFile) => AsyncIterable<T>) {
    const file = await store.open(nameOf(name))
    try {
      yield* read(file)
    } finally {
      await file.close()
    }
  }
  return {
    id: commit.shard,
    commit,
    rows: () => opened(GROUNDINGS_FILE, readGroundings),
    async *images() {
      if (commit.files[IMAGES_FILE] === undefined) return
      yield* opened(IMAGES_FILE, readImagesTar)
    },
    rejects: () => readRejects(store, nameOf(REJECTS_FILE)),
  }
}

/** Begins a try at a version of a shard. */
export function beginShard(store: RunStore, of: ShardVersion): Promise<Attempt> {
  return store.beginAttempt(shardFolder(of))
}

/**
 * Makes the shard visible with its record.
 *
 * @returns false if another attempt was published first; this one is gone then
 * @throws ShardError if the record is none (its rows do not add up, an unknown reason code)
 */
export async function publishShard(attempt: Attempt, record: CommitRecord): Promise<boolean> {
  const checked = commitRecordSchema.safeParse(record)
  if (!checked.success) {
    throw new ShardError(
      `shard ${record.shard}: no commit record: ${z.prettifyError(checked.error)}`,
    )
  }
  return attempt.publish(`${JSON.stringify(record, null, 2)}\n`)
}
