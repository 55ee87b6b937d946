// A run: plan once, then label every shard that is not committed.

import type { Config } from '../config.ts'
import { ConfigError } from '../core/errors.ts'
import type { Shard } from '../core/types.ts'
import { loadHooks, mayMatch } from '../ingest/fetch/hooks.ts'
import { createImageLoader } from '../ingest/image/load.ts'
import { openSource, type CaptionSource } from '../ingest/source/source.ts'
import { createPhraseExtractor, type PhraseExtractor } from '../nlp/extractor.ts'
import { sweepAttributes } from '../store/attributes.ts'
import type { CommitRecord } from '../store/commit-record.ts'
import { createPosixStore } from '../store/posix/posix-store.ts'
import { readPlan, type RunManifest } from '../store/run-manifest.ts'
import { SHARDS_FOLDER, type RunStore } from '../store/run-store.ts'
import { readCommits } from '../store/shards.ts'
import { openUrlDigest } from '../store/url-digest.ts'
import { openTeacher } from '../teacher/open-teacher.ts'
import type { Teacher } from '../teacher/teacher.ts'
import { labelShards, type LabelWork } from './label-shards.ts'
import { identifyRun } from './identity.ts'
import { hashInputs, type ConfirmOptions } from './input-hashes.ts'
import { beginRun, findRun, planShards, type Plan } from './open-run.ts'
import type { Progress } from './progress.ts'
import { summarize, type RunSummary } from './summary.ts'

/**
 * Labels what is not labelled yet. The same call on the same folder resumes.
 *
 * @param verifyInputs compare the bytes of all local inputs with those of the plan
 * @returns totals over all committed shards, whoever made them
 * @throws ConfigError before any work if the folder belongs to another run; InputError if the source
 *   cannot be read; FatalError; the signal's reason once what was in flight has ended or stopped
 */
export async function runDataset(
  config: Config,
  runDir: string,
  progress: Progress,
  signal: AbortSignal,
  { verifyInputs = false }: { readonly verifyInputs?: boolean } = {},
): Promise<RunSummary> {
  const store = createPosixStore(runDir)
  return withSource({ config, signal }, async (source) => {
    const run = await identifyRun(config, source)
    const stored = await findRun(store, run, { verifyInputs, progress, signal })
    let shards: readonly Shard[] | undefined
    const commits = new Map<number, CommitRecord>()
    if (stored !== undefined) {
      shards = await readPlan(store, stored.runId)
      for (const record of await readCommits(store)) commits.set(record.shard, record)
      if (shards.every(({ id }) => commits.has(id))) {
        await sweep(store, commits).catch(() => undefined) // nothing else is written; it may be an archive
        progress.note('every shard is committed; nothing to do')
        return summarize(stored, [...commits.values()])
      }
    }
    // A disk that refuses and a teacher that does not run are found before there is a run to repair.
    await store.prepare()
    await sweep(store, commits)
    return withModels({ config, progress }, async (models) => {
      let manifest = stored
      if (manifest === undefined) {
        progress.note('planning shards')
        const plan = await planShards(config, source, signal)
        const { hashInputs: mode } = config.run
        const inputs = await hashInputs(source.identity, { mode, progress, signal })
        manifest = await beginRun(store, run, { ...plan, inputs })
        shards = plan.shards
      }
      const open = (shards ?? []).filter(({ id }) => !commits.has(id))
      if (commits.size > 0) {
        progress.note(`resuming: ${commits.size} of ${manifest.plan.shards} shards are committed`)
      }
      progress.begin(manifest.plan.rows, committedRows(commits))
      const work = { store, progress, signal, commits }
      await label(open, { config, source, ...models, manifest, ...work })
      return summarize(manifest, [...commits.values()])
    })
  })
}

function committedRows(commits: ReadonlyMap<number, CommitRecord>): number {
  return [...commits.values()].reduce((sum, { rows }) => sum + rows.end - rows.start, 0)
}

/** Removes what dead processes, and versions that are replaced, have left in the folder. */
export async function sweep(
  store: RunStore,
  commits: ReadonlyMap<number, CommitRecord>,
): Promise<void> {
  await store.sweep(['', SHARDS_FOLDER])
  await store.removeOldJournals([...commits.values()])
  await sweepAttributes(store, commits)
}

/** Opens the teacher while the phrase threads load their words; closes both, and the progress. */
export async function withModels<T>(
  { config, progress }: Pick<Labelling, 'config' | 'progress'>,
  use: (models: Pick<Labelling, 'extractor' | 'teacher'>) => Promise<T>,
): Promise<T> {
  const extractor = createPhraseExtractor(config, { threads: config.run.phraseThreads })
  let teacher: Teacher | undefined
  try {
    const warm = extractor.start()
    warm.catch(() => undefined) // seen below
    teacher = await openTeacher(config, (message) => {
      progress.note(message)
    })
    await warm
    return await use({ extractor, teacher })
  } finally {
    progress.end()
    await Promise.all([teacher?.close(), extractor.close()])
  }
}

/** What a run would be, found without writing anything. */
export interface DryRun {
  readonly runId: string
  readonly teacher: RunManifest['teacher']
  readonly plan: Plan
  /** True if the folder holds this run already. */
  readonly isBegun: boolean
}

/** @throws as `runDataset` does before any work, for another run's folder too */
export async function planDataset(
  config: Config,
  runDir: string,
  options: ConfirmOptions,
): Promise<DryRun> {
  const { signal } = options
  return withSource({ config, signal }, async (source) => {
    const run = await identifyRun(config, source)
    const stored = await findRun(createPosixStore(runDir), run, options)
    const plan = await planShards(config, source, signal)
    const { runId } = stored ?? run
    return { runId, teacher: run.teacher, plan, isBegun: stored !== undefined }
  })
}

/** @throws ConfigError or InputError if the dataset cannot be opened */
export async function withSource<T>(
  { config, signal }: Pick<Labelling, 'config' | 'signal'>,
  use: (source: CaptionSource) => Promise<T>,
): Promise<T> {
  const { source: options, fetch } = config
  if (options === undefined) throw new ConfigError('source: missing; name the dataset to label')
  const source = await openSource(options, signal, { fetch })
  try {
    return await use(source)
  } finally {
    await source.close()
  }
}

interface Labelling extends Omit<LabelWork, 'tools'> {
  readonly config: Config
  readonly source: CaptionSource
  readonly extractor: PhraseExtractor
  readonly teacher: Teacher
  readonly manifest: RunManifest
  readonly store: RunStore
}

/** Opens what fetches images, and labels the shards. */
export async function label(shards: readonly Shard[], labelling: Labelling): Promise<void> {
  const { config, source, extractor, teacher, manifest, store, ...work } = labelling
  // A run without lists has no key.
  const digestUrl = mayMatch(config.fetch) ? await openUrlDigest(store) : () => ''
  const hooks = await loadHooks(config.fetch, digestUrl)
  const images = createImageLoader(config, { hooks, input: teacher.input })
  const { runId } = manifest
  const { run: options, caption } = config
  const { maxRepeats } = caption
  const shared = { store, source, extractor, images, teacher, digestUrl }
  const tools = { runId, options, maxRepeats, ...shared }
  const startedAt = performance.now()
  const busyBefore = teacher.busySeconds
  try {
    await labelShards(shards, { tools, ...work })
    const seconds = (performance.now() - startedAt) / 1000
    const percent = Math.round((100 * (teacher.busySeconds - busyBefore)) / seconds)
    work.progress.note(`the teacher ran ${percent} % of the time`, { teacherBusyPercent: percent })
  } finally {
    await images.close()
  }
}
