// The shards of a run folder. An attempt is written in a hidden folder and published by renaming that
// folder, which is atomic and, onto a folder with files in it, refused: of two attempts one is seen.

import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { z } from 'zod'
import { InputError, messageOf, ShardError } from '../core/errors.ts'
import { commitRecordSchema, type CommitRecord } from './commit-record.ts'
import {
  codeOf,
  failedWrite,
  makeFolder,
  naming,
  replaceFile,
  syncFolder,
  writeSynced,
  type FileDigest,
} from './durable.ts'
import { readGroundings, type GroundingRow } from './groundings.ts'
import { readImagesTar, type StoredImage } from './images-tar.ts'

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
}

export function shardName(id: number): string {
  return String(id).padStart(5, '0')
}

function shardsFolder(runDir: string): string {
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

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

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
    text = await fs.readFile(file, 'utf8')
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
    if (commit === undefined) continue
    yield {
      id,
      dir,
      commit,
      rows: () => readGroundings(path.join(dir, GROUNDINGS_FILE)),
      images: () => imagesOf(path.join(dir, IMAGES_FILE), commit),
    }
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
  const owner = `${os.hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
  const dir = path.join(shardsFolder(runDir), `.${shardName(id)}.attempt-${owner}`)
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

const CLAIM_BEAT_MS = 5_000
/** A claim that was not renewed for so long belongs to a dead or cut-off process. */
const CLAIM_STALE_MS = 60_000

const claimSchema = z.object({ host: z.string(), pid: z.number() })

/**
 * Tells other processes on this folder that the shard is being worked on. It only saves double work:
 * that one result is seen is the affair of Attempt.publish.
 *
 * @returns undefined while a living process holds the shard, else a function that lets go
 */
export async function claimShard(
  runDir: string,
  id: number,
): Promise<(() => Promise<void>) | undefined> {
  const file = path.join(shardsFolder(runDir), `.${shardName(id)}.claim`)
  const content = JSON.stringify({ host: os.hostname(), pid: process.pid })
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await naming(file, () => fs.writeFile(file, content, { flag: 'wx' }))
      break
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      if (attempt > 0 || (await isHeld(file))) return undefined
      await removeStale(file)
    }
  }
  await removeDeadAttempts(runDir, id)
  const beat = setInterval(() => {
    const now = new Date()
    fs.utimes(file, now, now).catch(() => undefined)
  }, CLAIM_BEAT_MS)
  beat.unref()
  return async () => {
    clearInterval(beat)
    await fs.rm(file, { force: true })
  }
}

async function isHeld(file: string): Promise<boolean> {
  try {
    const { mtimeMs } = await fs.stat(file)
    if (Date.now() - mtimeMs > CLAIM_STALE_MS) return false
    const { host, pid } = claimSchema.parse(JSON.parse(await fs.readFile(file, 'utf8')))
    return host !== os.hostname() || isAlive(pid)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    return error instanceof z.ZodError || error instanceof SyntaxError // being written right now
  }
}

/** Of several processes that find a stale claim only one renames it away. */
async function removeStale(file: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}`
  await fs.rename(file, aside).catch(() => undefined)
  await fs.rm(aside, { force: true })
}

async function removeDeadAttempts(runDir: string, id: number): Promise<void> {
  const prefix = `.${shardName(id)}.attempt-${os.hostname()}-`
  for (const name of await namesIn(shardsFolder(runDir))) {
    if (!name.startsWith(prefix)) continue
    const pid = Number(name.slice(prefix.length).split('-')[0])
    if (isAlive(pid)) continue
    await fs.rm(path.join(shardsFolder(runDir), name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** Creates the folder of shards. @throws FatalError if the place cannot be written */
export async function createShardsFolder(runDir: string): Promise<void> {
  const folder = shardsFolder(runDir)
  await makeFolder(folder)
  // Found now, not after an hour of labelling.
  const probe = path.join(folder, `.probe-${process.pid}`)
  await replaceFile(probe, '')
  await fs.rm(probe, { force: true })
}

export type { FileDigest }
