// The shards that are not committed, several at a time, shared with whoever else works on the folder.

import { setMaxListeners } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, InputError, messageOf, ShardError } from '../core/errors.ts'
import type { Shard } from '../core/types.ts'
import { claimShard } from '../store/posix/claims.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import { naming } from '../store/posix/durable.ts'
import { findCommit } from '../store/posix/shards.ts'
import { drain } from './drain.ts'
import type { Progress } from './progress.ts'
import { runShard, type ShardTools } from './run-shard.ts'

/** Shards that may fail one after the other before the run gives up: their cause hits every shard. */
const MAX_FAILURES_IN_A_ROW = 20
const POLL_CLAIMS_MS = 1_000

/**
 * Labels shards until all are committed, by this process or another. Shards that fail are left out;
 * they are for the next run.
 *
 * @param commits gets the record of every shard, whoever made it; a shard that has one already is
 *   taken to its next version
 * @throws FatalError; the signal's reason once what was in flight has ended or stopped
 */
export async function labelShards(
  open: readonly Shard[],
  tools: Omit<ShardTools, 'onRow'>,
  progress: Progress,
  signal: AbortSignal,
  commits: Map<number, CommitRecord>,
): Promise<void> {
  const { runDir, options } = tools
  // One worker's fatal error stops the others at once; a request to stop lets them end a shard.
  const fatal = new AbortController()
  setMaxListeners(0, fatal.signal, signal)
  const waiting = [...open]
  const earlier = new Map(commits)
  const retried = new Set<number>()
  let failuresInARow = 0

  const label = async (shard: Shard): Promise<CommitRecord | undefined> => {
    const drained = drain(signal, shard.end - shard.start)
    let done = 0
    const onRow = () => {
      done++
      drained.advance()
      progress.advance()
    }
    try {
      return await runShard(
        shard,
        { ...tools, onRow },
        AbortSignal.any([fatal.signal, drained.signal]),
        earlier.get(shard.id),
      )
    } catch (error) {
      progress.advance(-done)
      throw error
    } finally {
      drained.end()
    }
  }

  const work = async () => {
    const either = AbortSignal.any([signal, fatal.signal])
    for (;;) {
      const claimed = await claimNext(waiting, runDir, either)
      if (claimed === undefined) return
      const { shard, release } = claimed
      try {
        const found = await findCommit(runDir, shard.id)
        const isDone = (found?.version ?? 0) > (earlier.get(shard.id)?.version ?? 0)
        if (isDone) progress.advance(shard.end - shard.start)
        const record = (isDone ? found : await label(shard)) ?? (await findCommit(runDir, shard.id))
        if (record === undefined) throw new ShardError('published by another process, then removed')
        commits.set(shard.id, record)
        failuresInARow = 0
      } catch (error) {
        if (error instanceof FatalError) throw error
        if (either.aborted) return
        if (error instanceof ShardError && !retried.has(shard.id)) {
          progress.warn(`shard ${shard.id}: ${messageOf(error)}; tried again at the end`, {
            shard: shard.id,
          })
          retried.add(shard.id)
          waiting.push(shard)
          continue
        }
        await recordFailure(runDir, shard, error)
        progress.warn(`shard ${shard.id} failed: ${messageOf(error)}`, { shard: shard.id })
        if (++failuresInARow >= MAX_FAILURES_IN_A_ROW) {
          throw new FatalError(
            `${failuresInARow} shards failed in a row; the last: ${messageOf(error)}`,
            { cause: error },
          )
        }
      } finally {
        await release()
      }
    }
  }

  const workers = Array.from({ length: options.shardsInFlight }, () =>
    work().catch((error: unknown) => {
      fatal.abort(error)
    }),
  )
  await Promise.all(workers)
  fatal.signal.throwIfAborted()
  signal.throwIfAborted()
}

/**
 * The next shard that no living process works on; waits while others hold all that is left, since
 * they may die. Undefined when there is none, or when the signal is aborted.
 */
async function claimNext(
  waiting: Shard[],
  runDir: string,
  signal: AbortSignal,
): Promise<{ shard: Shard; release: () => Promise<void> } | undefined> {
  for (let tries = 0; !signal.aborted; tries++) {
    const shard = waiting.shift()
    if (shard === undefined) return undefined
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
