// The shards that are not committed, several at a time, shared with whoever else works on the folder.

import { setMaxListeners } from 'node:events'
import os from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, InputError, messageOf, ShardError } from '../core/errors.ts'
import type { Shard } from '../core/types.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import { FAILURES_FILE, type Release, type RunStore } from '../store/run-store.ts'
import { findCommit, shardFolder } from '../store/shards.ts'
import { drain } from './drain.ts'
import type { Progress } from './progress.ts'
import { runShard, type ShardTools } from './run-shard.ts'

/** Shards that may fail one after the other before the run gives up: their cause hits every shard. */
const MAX_FAILURES_IN_A_ROW = 20
const POLL_CLAIMS_MS = 1_000

/** What the shards of a run share, and who is told. */
export interface LabelWork {
  readonly tools: Omit<ShardTools, 'onRow'>
  readonly progress: Progress
  /** A request to stop, which lets a shard end that can end soon. */
  readonly signal: AbortSignal
  /**
   * Gets the record of every shard, whoever made it; a shard that has one already is taken to its next
   * version.
   */
  readonly commits: Map<number, CommitRecord>
}

interface Shared extends LabelWork {
  /** Aborted by one worker's fatal error: the others stop at once. */
  readonly fatal: AbortSignal
  /** Records that were there before. */
  readonly earlier: ReadonlyMap<number, CommitRecord>
}

/**
 * Labels shards until all are committed, by this process or another. Shards that fail are left out;
 * they are for the next run.
 *
 * @throws FatalError; the signal's reason once what was in flight has ended or stopped
 */
export async function labelShards(open: readonly Shard[], labelling: LabelWork): Promise<void> {
  const { tools, progress, signal, commits } = labelling
  const fatal = new AbortController()
  const either = AbortSignal.any([signal, fatal.signal])
  setMaxListeners(0, fatal.signal, signal, either) // one listener per shard in flight
  const shared: Shared = { ...labelling, fatal: fatal.signal, earlier: new Map(commits) }
  const waiting = [...open]
  const failures = new Failures(tools.store, progress)

  const work = async () => {
    for (;;) {
      const claimed = await claimNext(waiting, { store: tools.store, signal: either })
      if (claimed === undefined) return
      const { shard, release } = claimed
      try {
        commits.set(shard.id, await commitShard(shard, shared))
        failures.inARow = 0
      } catch (error) {
        if (error instanceof FatalError) throw error
        if (either.aborted) return
        if (failures.mayTryAgain(shard, error)) waiting.push(shard)
        else await failures.record(shard, error)
      } finally {
        await release()
      }
    }
  }

  const workers = Array.from({ length: tools.options.shardsInFlight }, () =>
    work().catch((error: unknown) => {
      fatal.abort(error)
    }),
  )
  await Promise.all(workers)
  fatal.signal.throwIfAborted()
  signal.throwIfAborted()
}

/** The record of a claimed shard, which another process may have made before. */
async function commitShard(shard: Shard, shared: Shared): Promise<CommitRecord> {
  const { store } = shared.tools
  const found = await findCommit(store, shard.id)
  if (found !== undefined && found.version > (shared.earlier.get(shard.id)?.version ?? 0)) {
    shared.progress.advance(shard.end - shard.start)
    return found
  }
  const record = (await label(shard, shared)) ?? (await findCommit(store, shard.id))
  if (record === undefined) throw new ShardError('published by another process, then removed')
  return record
}

async function label(
  shard: Shard,
  { tools, progress, signal, fatal, earlier }: Shared,
): Promise<CommitRecord | undefined> {
  const drained = drain(signal, shard.end - shard.start)
  let done = 0
  const onRow = () => {
    done++
    drained.advance()
    progress.advance()
  }
  try {
    const either = AbortSignal.any([fatal, drained.signal])
    return await runShard(shard, { ...tools, onRow }, either, earlier.get(shard.id))
  } catch (error) {
    progress.advance(-done)
    throw error
  } finally {
    drained.end()
  }
}

/** Shards that did not end well. */
class Failures {
  inARow = 0
  readonly #store: RunStore
  readonly #progress: Progress
  readonly #retried = new Set<number>()

  constructor(store: RunStore, progress: Progress) {
    this.#store = store
    this.#progress = progress
  }

  /** Once per shard, for what may be the shard's affair alone. */
  mayTryAgain({ id: shard }: Shard, error: unknown): boolean {
    if (!(error instanceof ShardError) || this.#retried.has(shard)) return false
    this.#retried.add(shard)
    const message = `shard ${shard}: ${messageOf(error)}; tried again at the end`
    this.#progress.warn(message, { shard })
    return true
  }

  /**
   * Leaves a note for `status`, no mark: the shard is tried again by the next run.
   *
   * @throws FatalError when too many failed in a row
   */
  async record({ id: shard }: Shard, error: unknown): Promise<void> {
    const isBug = !(error instanceof ShardError || error instanceof InputError)
    const line = JSON.stringify({
      shard,
      at: new Date().toISOString(),
      host: os.hostname(),
      error: messageOf(error),
      ...(isBug && error instanceof Error ? { stack: error.stack } : {}),
    })
    await this.#store.note(FAILURES_FILE, line)
    this.#progress.warn(`shard ${shard} failed: ${messageOf(error)}`, { shard })
    if (++this.inARow >= MAX_FAILURES_IN_A_ROW) {
      throw new FatalError(`${this.inARow} shards failed in a row; the last: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }
}

/**
 * The next shard that no living process works on; waits while others hold all that is left, since
 * they may die. Undefined when there is none, or when the signal is aborted.
 */
async function claimNext(
  waiting: Shard[],
  { store, signal }: { readonly store: RunStore; readonly signal: AbortSignal },
): Promise<{ shard: Shard; release: Release } | undefined> {
  for (let tries = 0; !signal.aborted; tries++) {
    const shard = waiting.shift()
    if (shard === undefined) return undefined
    const release = await store.claim(shardFolder({ shard: shard.id, version: 1 }))
    if (release !== undefined) return { shard, release }
    waiting.push(shard)
    if (tries >= waiting.length) {
      await sleep(POLL_CLAIMS_MS, undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}
