// Rows that were lost for a reason that may have passed are tried again. A shard in which that changes
// anything gets a new version; the one before stays valid and in place.

import type { Config } from '../config.ts'
import { ConfigError } from '../core/errors.ts'
import { retryOf, type ReasonCode } from '../core/reasons.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import { createPosixStore } from '../store/posix/posix-store.ts'
import { readPlan } from '../store/run-manifest.ts'
import type { RunStore } from '../store/run-store.ts'
import { readCommits } from '../store/shards.ts'
import { identifyRun } from './identity.ts'
import type { ConfirmOptions } from './input-hashes.ts'
import { findRun } from './open-run.ts'
import { label, sweep, withModels, withSource } from './run.ts'

/** What `retry-failed` changed. */
export interface RetryResult {
  /** Rows tried again. */
  readonly rows: number
  /** Of those, rows that are groundings now. */
  readonly recovered: number
  /** Shards with a new version, ascending. */
  readonly shards: readonly number[]
  /** Rows that are still lost and may be tried again, per reason code. */
  readonly left: Readonly<Partial<Record<ReasonCode, number>>>
}

/**
 * @param config that of the run, apart from options that do not change its bytes
 * @throws ConfigError if it is another; InputError; FatalError; the signal's reason
 */
export async function retryFailed(
  config: Config,
  runDir: string,
  options: ConfirmOptions,
): Promise<RetryResult> {
  const store = createPosixStore(runDir)
  const commits = await readCommits(store)
  const before = commits.filter((commit) => retryable(commit) > 0)
  const rows = before.reduce((sum, commit) => sum + retryable(commit), 0)
  const after = new Map(before.map((commit) => [commit.shard, commit]))
  if (rows > 0) await labelAgain({ config, store, commits: after, rows }, options)

  const left: Partial<Record<ReasonCode, number>> = {}
  for (const { reasons } of after.values()) {
    for (const [code, count] of retryableReasons(reasons)) left[code] = (left[code] ?? 0) + count
  }
  const changed = before.filter(({ shard, version }) => after.get(shard)?.version !== version)
  const groundings = (records: Iterable<CommitRecord>) =>
    [...records].reduce((sum, { counts }) => sum + counts.groundings, 0)
  return {
    rows,
    recovered: groundings(after.values()) - groundings(before),
    shards: changed.map(({ shard }) => shard),
    left,
  }
}

interface Retry {
  readonly config: Config
  readonly store: RunStore
  /** Gets the new versions. */
  readonly commits: Map<number, CommitRecord>
  readonly rows: number
}

async function labelAgain(retry: Retry, options: ConfirmOptions): Promise<void> {
  const { config, store, commits, rows } = retry
  const { progress, signal } = options
  await withSource({ config, signal }, async (source) => {
    const manifest = await findRun(store, await identifyRun(config, source), options)
    if (manifest === undefined) throw new ConfigError(`${store.location} holds no run`)
    const plan = await readPlan(store, manifest.runId)
    const shards = plan.filter(({ id }) => commits.has(id))
    await store.prepare()
    await sweep(store, commits)
    await withModels({ config, progress }, async (models) => {
      progress.note(`${rows} rows of ${shards.length} shards are tried again`)
      progress.begin(rows, 0)
      const work = { store, progress, signal, commits }
      await label(shards, { config, source, ...models, manifest, ...work })
    })
  })
}

function retryableReasons(reasons: CommitRecord['reasons']): [ReasonCode, number][] {
  return (Object.entries(reasons) as [ReasonCode, number][]).filter(
    ([code]) => retryOf(code) !== 'never',
  )
}

function retryable({ reasons }: CommitRecord): number {
  return retryableReasons(reasons).reduce((sum, [, count]) => sum + count, 0)
}
