// A run: plan once, then label every shard that is not committed, several at a time.

import { setMaxListeners } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { outputConfig, type Config } from '../config.ts'
import { ConfigError, FatalError, InputError, messageOf, ShardError } from '../core/errors.ts'
import type { Json, Shard } from '../core/types.ts'
import { createImageLoader } from '../ingest/load-image.ts'
import { openSource, type CaptionSource } from '../ingest/source.ts'
import { createPhraseExtractor } from '../nlp/extractor.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import { naming } from '../store/durable.ts'
import {
  assertSameRun,
  publishManifest,
  publishPlan,
  readManifest,
  readPlan,
  RUN_FORMAT,
  runIdOf,
  type Identity,
  type RunManifest,
} from '../store/run-manifest.ts'
import { claimShard, createShardsFolder, findCommit, readCommits } from '../store/shards.ts'
import { describeTeacher, openTeacher } from '../teacher/open-teacher.ts'
import { VERSION } from '../version.ts'
import type { Progress } from './progress.ts'
import { runShard, type ShardTools } from './run-shard.ts'
import { summarize, type RunSummary } from './summary.ts'

/** Shards that may fail before the run gives up: a cause that hits every shard is not tried on all. */
const MAX_FAILED_SHARDS = 20
const POLL_CLAIMS_MS = 1_000

/**
 * Labels what is not labelled yet. The same call on the same folder resumes.
 *
 * @returns totals over all committed shards, whoever made them
 * @throws ConfigError before any work if the folder belongs to another run; InputError if the source
 *   cannot be read; FatalError; the signal's reason once what was in flight has stopped
 */
export async function runDataset(
  config: Config,
  runDir: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<RunSummary> {
  if (config.source === undefined)
    throw new ConfigError('source: missing; name the dataset to label')
  const source = await openSource(config.source, signal)
  try {
    const manifest = await openRun(config, source, runDir, progress, signal)
    const plan = await readPlan(runDir, manifest.runId)
    const commits = new Map((await readCommits(runDir)).map((record) => [record.shard, record]))
    const doneRows = [...commits.values()].reduce((sum, { rows }) => sum + rows.end - rows.start, 0)
    const open = plan.filter(({ id }) => !commits.has(id))
    if (open.length === 0) {
      progress.note('every shard is committed; nothing to do')
    } else {
      if (commits.size > 0) {
        progress.note(`resuming: ${commits.size} of ${plan.length} shards are committed`)
      }
      progress.begin(manifest.plan.rows, doneRows)
      await labelShards(open, { config, source, manifest, runDir, progress }, signal, commits)
    }
    return summarize(manifest, [...commits.values()])
  } finally {
    progress.end()
    await source.close()
  }
}

/** Checks that the folder belongs to this run, or makes it. */
async function openRun(
  config: Config,
  source: CaptionSource,
  runDir: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<RunManifest> {
  const teacher = await describeTeacher(config.teacher)
  const identity: Identity = {
    config: outputConfig(config),
    source: source.identity,
    teacher: { id: teacher.id, sha256: teacher.sha256 },
  }
  const runId = runIdOf(identity)
  const stored = await readManifest(runDir)
  if (stored !== undefined) {
    assertSameRun(runDir, stored, identity)
    return stored
  }
  await createShardsFolder(runDir)
  const lines: string[] = []
  let rows = 0
  progress.note('planning shards')
  for await (const shard of limited(
    source.plan(config.run.samplesPerShard, signal),
    config.run.limit,
  )) {
    lines.push(JSON.stringify(shard))
    rows += shard.end - shard.start
  }
  if (rows === 0) throw new InputError('the source has no rows')
  await publishPlan(runDir, runId, lines)
  const manifest: RunManifest = {
    formatVersion: RUN_FORMAT,
    runId,
    config: JSON.parse(JSON.stringify(config)) as Json,
    identity,
    plan: { shards: lines.length, rows },
    teacher,
    versions: { groundmill: VERSION, node: process.versions.node },
  }
  if (!(await publishManifest(runDir, manifest))) {
    // Another process was faster; it must be the same run.
    assertSameRun(runDir, (await readManifest(runDir))!, identity)
  }
  return manifest
}

/** Stops at the row limit; the last shard is cut. */
async function* limited(
  shards: AsyncIterable<Shard>,
  limit: number | undefined,
): AsyncGenerator<Shard> {
  for await (const shard of shards) {
    if (limit === undefined || shard.end <= limit) yield shard
    else if (shard.start < limit) yield { ...shard, end: limit }
    if (limit !== undefined && shard.end >= limit) return
  }
}

interface Labelling {
  readonly config: Config
  readonly source: CaptionSource
  readonly manifest: RunManifest
  readonly runDir: string
  readonly progress: Progress
}

/** Adds the record of every shard to `commits`, whichever process made it. */
async function labelShards(
  open: readonly Shard[],
  { config, source, manifest, runDir, progress }: Labelling,
  signal: AbortSignal,
  commits: Map<number, CommitRecord>,
): Promise<void> {
  const teacher = await openTeacher(config.teacher, config.prompt, (message) => {
    progress.note(message)
  })
  const extractor = createPhraseExtractor(config.caption, config.phrases, config.run.phraseThreads)
  const images = createImageLoader(config.fetch, config.image)
  const tools: ShardTools = {
    runDir,
    runId: manifest.runId,
    options: config.run,
    source,
    extractor,
    images,
    teacher,
    onRow: () => {
      progress.advance()
    },
  }
  // One worker's fatal error stops the others.
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  setMaxListeners(0, either)
  const waiting = [...open]
  let failures = 0
  const work = async () => {
    for (;;) {
      either.throwIfAborted()
      const claimed = await claimNext(waiting, runDir, either)
      if (claimed === undefined) return
      const { shard, release } = claimed
      try {
        const record =
          (await findCommit(runDir, shard.id)) ??
          (await runShard(shard, tools, either)) ??
          (await findCommit(runDir, shard.id))
        if (record === undefined) throw new ShardError('published by another process, then removed')
        commits.set(shard.id, record)
      } catch (error) {
        if (either.aborted || error instanceof FatalError) throw error
        await recordFailure(runDir, shard, error)
        progress.warn(`shard ${shard.id} failed: ${messageOf(error)}`, { shard: shard.id })
        if (++failures >= MAX_FAILED_SHARDS) {
          throw new FatalError(`${failures} shards failed; the last: ${messageOf(error)}`, {
            cause: error,
          })
        }
      } finally {
        await release()
      }
    }
  }
  try {
    const workers = Array.from({ length: config.run.shardsInFlight }, () =>
      work().catch((error: unknown) => {
        stop.abort(error)
        throw error
      }),
    )
    const failed = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected')
    signal.throwIfAborted()
    if (failed?.status === 'rejected') throw stop.signal.reason
  } finally {
    await Promise.all([teacher.close(), extractor.close(), images.close()])
  }
}

/**
 * The next shard that no living process works on; waits while others hold all that is left, since
 * they may die.
 */
async function claimNext(
  waiting: Shard[],
  runDir: string,
  signal: AbortSignal,
): Promise<{ shard: Shard; release: () => Promise<void> } | undefined> {
  for (let tries = 0; waiting.length > 0; tries++) {
    signal.throwIfAborted()
    const shard = waiting.shift()!
    const release = await claimShard(runDir, shard.id)
    if (release !== undefined) return { shard, release }
    waiting.push(shard)
    if (tries >= waiting.length) {
      await sleep(POLL_CLAIMS_MS, undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}

/** For `status`; a note, not a mark: the shard is tried again by the next run. */
async function recordFailure(runDir: string, shard: Shard, error: unknown): Promise<void> {
  const file = path.join(runDir, 'failures.jsonl')
  const isBug = !(error instanceof ShardError || error instanceof InputError)
  const line = JSON.stringify({
    shard: shard.id,
    at: new Date().toISOString(),
    host: os.hostname(),
    error: messageOf(error),
    ...(isBug && error instanceof Error ? { stack: error.stack } : {}),
  })
  await naming(file, () => fs.appendFile(file, `${line}\n`))
}
