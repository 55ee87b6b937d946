// The shards of a run folder. An attempt is written in a hidden folder and published by renaming that
// folder, which is atomic and, onto a folder with files in it, refused: of two attempts one is seen.

import { readFile as readFileCallback } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import { z } from 'zod'
import { InputError, messageOf, ShardError } from '../../core/errors.ts'
import type { Reject } from '../../core/reasons.ts'
import { commitRecordSchema, type CommitRecord } from '../commit-record.ts'
import { codeOf, failedWrite, makeFolder, syncFolder, writeSynced } from './durable.ts'
import { readGroundings, type GroundingRow } from '../groundings.ts'
import { readImagesTar, type StoredImage } from '../images-tar.ts'
import { readRejects } from '../rejects.ts'
import { ownName } from './owner.ts'

export const GROUNDINGS_FILE = 'groundings.parquet'
export const IMAGES_FILE = 'images.tar'
export const REJECTS_FILE = 'rejects.jsonl'
export const COMMIT_FILE = 'commit.json'

/** A shard whose commit record exists and parses; the files are those of its newest version. */
export interface CommittedShard {
  readonly id: number
  readonly dir: string
  readonly commit: CommitRecord
  /** In row order. */
  rows(): AsyncIterable<GroundingRow>
  /** In row order; nothing when images are referenced in place. */
  images(): AsyncIterable<StoredImage>
  /** In row order. @throws InputError naming the line that is none */
  rejects(): AsyncIterable<Reject>
}

export function shardName(id: number): string {
  return String(id).padStart(5, '0')
}

export function shardsFolder(runDir: string): string {
  return path.join(runDir, 'shards')
}

function shardFolder(runDir: string, id: number, version: number): string {
  const suffix = version === 1 ? '' : `.v${version}`
  return path.join(shardsFolder(runDir), shardName(id) + suffix)
}

/** Newest published version per shard id, ascending by id, from one look at the folder. */
async function publishedVersions(runDir: string): Promise<Map<number, number>> {
  const versions = new Map<number, number>()
  for (const name of await namesIn(shardsFolder(runDir))) {
    const match = /^(\d{5,})(?:\.v(\d+))?$/.exec(name)
    if (match === null) continue
    const id = Number(match[1])
    versions.set(id, Math.max(versions.get(id) ?? 0, Number(match[2] ?? 1)))
  }
  return new Map([...versions].sort(([a], [b]) => a - b))
}

export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Not the promises' own, which takes three times as long: a run has thousands of records. */
const readFile = promisify(readFileCallback)

/** Files of commit records read at once. */
const OPEN_RECORDS = 64

/**
 * Commit records of all committed shards, by shard id.
 *
 * @param onDamage told of a record that does not parse, which is then left out; absent: it is thrown
 * @throws InputError naming a record that does not parse: such a folder was not made by a commit
 */
export async function readCommits(
  runDir: string,
  onDamage?: (shard: number, error: InputError) => void,
): Promise<CommitRecord[]> {
  const limit = pLimit(OPEN_RECORDS)
  const versions = [...(await publishedVersions(runDir))]
  const read = async (id: number, version: number) => {
    try {
      return await readCommit(shardFolder(runDir, id, version), id)
    } catch (error) {
      if (onDamage === undefined || !(error instanceof InputError)) throw error
      onDamage(id, error)
      return undefined
    }
  }
  const records = await Promise.all(versions.map(([id, version]) => limit(() => read(id, version))))
  return records.filter((record) => record !== undefined)
}

/** The shard's newest commit record, or undefined if it is not committed. */
export async function findCommit(runDir: string, id: number): Promise<CommitRecord | undefined> {
  // One shard's folders, not a look at all of them: this is asked for every shard of a run.
  let newest: CommitRecord | undefined
  for (let version = 1; ; version++) {
    const record = await readCommit(shardFolder(runDir, id, version), id)
    if (record === undefined) return newest
    newest = record
  }
}

/** Undefined for a folder without a record: an empty folder is no shard. */
async function readCommit(dir: string, id: number): Promise<CommitRecord | undefined> {
  const file = path.join(dir, COMMIT_FILE)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  let why: string
  try {
    const record = commitRecordSchema.parse(JSON.parse(text))
    if (record.shard === id) return record
    why = `it is the record of shard ${record.shard}`
  } catch (error) {
    why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
  }
  throw new InputError(
    `${file} does not parse; remove the folder ${dir} to label that shard again:\n${why}`,
  )
}

/** Committed shards by shard id, each in its newest version. */
export async function* readCommittedShards(runDir: string): AsyncIterable<CommittedShard> {
  for (const [id, version] of await publishedVersions(runDir)) {
    const dir = shardFolder(runDir, id, version)
    const commit = await readCommit(dir, id)
    if (commit !== undefined) yield openShard(runDir, commit)
  }
}

/** The files that a commit record speaks of. */
export function openShard(runDir: string, commit: CommitRecord): CommittedShard {
  const dir = shardFolder(runDir, commit.shard, commit.version)
  return {
    id: commit.shard,
    dir,
    commit,
    rows: () => readGroundings(path.join(dir, GROUNDINGS_FILE)),
    images: () => imagesOf(path.join(dir, IMAGES_FILE), commit),
    rejects: () => readRejects(path.join(dir, REJECTS_FILE)),
  }
}

async function* imagesOf(file: string, commit: CommitRecord): AsyncIterable<StoredImage> {
  if (commit.files[IMAGES_FILE] !== undefined) yield* readImagesTar(file)
}

/** One try at a shard, in a folder that no reader looks at. */
export interface Attempt {
  readonly dir: string
  /**
   * Writes the record, syncs, and makes the shard visible in one step.
   *
   * @returns false if another attempt was published first; this one is gone then
   * @throws ShardError if the record is none (its rows do not add up, an unknown reason code)
   */
  publish(record: CommitRecord): Promise<boolean>
  /** Removes what was written. */
  discard(): Promise<void>
}

export async function beginAttempt(runDir: string, id: number, version = 1): Promise<Attempt> {
  const dir = path.join(shardsFolder(runDir), ownName(`.${shardName(id)}.attempt`))
  await makeFolder(dir)
  const discard = () => fs.rm(dir, { recursive: true, force: true })
  return {
    dir,
    discard,
    async publish(record) {
      const checked = commitRecordSchema.safeParse(record)
      if (!checked.success) {
        throw new ShardError(`${dir}: no commit record: ${z.prettifyError(checked.error)}`)
      }
      await writeSynced(path.join(dir, COMMIT_FILE), `${JSON.stringify(record, null, 2)}\n`)
      await syncFolder(dir)
      try {
        await fs.rename(dir, shardFolder(runDir, id, version))
      } catch (error) {
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') {
          throw failedWrite(dir, error)
        }
        await discard()
        return false
      }
      await syncFolder(shardsFolder(runDir))
      return true
    },
  }
}

/** Creates the folder of shards. @throws FatalError if the place cannot be written */
export async function createShardsFolder(runDir: string): Promise<void> {
  const folder = shardsFolder(runDir)
  await makeFolder(folder)
  // Found now, not after an hour of labelling.
  const probe = path.join(folder, ownName('.probe.tmp'))
  await writeSynced(probe, '')
  await fs.rm(probe, { force: true })
}
