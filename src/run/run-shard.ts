// One shard from rows to its commit record.

import { setMaxListeners } from 'node:events'
import os from 'node:os'
import type { ImageFacts, ImageRef, Phrase, Shard, SourceRow } from '../core/types.ts'
import type { ImageLoader } from '../ingest/image/load.ts'
import type { CaptionSource, SourceReject } from '../ingest/source/source.ts'
import type { PhraseExtractor } from '../nlp/extractor.ts'
import { COMMIT_FORMAT, type CommitRecord } from '../store/commit-record.ts'
import type { FetchJournal, RunStore } from '../store/run-store.ts'
import { beginShard, openShard, publishShard } from '../store/shards.ts'
import type { UrlDigest } from '../store/url-digest.ts'
import { mapOrdered } from '../system/map-ordered.ts'
import { dropped } from '../system/v8.ts'
import type { Teacher, TeacherSample } from '../teacher/teacher.ts'
import { VERSION } from '../version.ts'
import { createCaptionLimit } from './duplicates.ts'
import { onlyRows, readKept, type KeptRows } from './kept-rows.ts'
import type { RunOptions } from './options.ts'
import { keyOf, ShardAccounts } from './shard-accounts.ts'
import { ShardFiles } from './shard-files.ts'
import { loadShardImages, type RowImage } from './shard-images.ts'

/** What the shards of a run share. */
export interface ShardTools {
  readonly store: RunStore
  readonly runId: string
  readonly options: RunOptions
  /** `caption.maxRepeats`. */
  readonly maxRepeats: number | undefined
  readonly source: CaptionSource
  readonly extractor: PhraseExtractor
  readonly images: ImageLoader
  readonly teacher: Teacher
  readonly digestUrl: UrlDigest
  /** Called once per row as soon as its fate is known. */
  readonly onRow: () => void
}

/** What one attempt at a shard works with. */
interface Labelling {
  readonly shard: Shard
  readonly tools: ShardTools
  readonly kept: KeptRows | undefined
  readonly journal: FetchJournal
  readonly accounts: ShardAccounts
  readonly files: ShardFiles
  readonly timed: StageClock['timed']
  readonly signal: AbortSignal
}

/** A caption with phrases; nothing fetched yet. */
interface PhrasedRow extends SourceRow {
  readonly phrases: readonly Phrase[]
}

/** What becomes a row when it is grounded; the image as it was stored or referred to is behind it. */
interface Sample extends TeacherSample, Pick<SourceRow, 'row' | 'extra'> {
  readonly url: string | null
  readonly facts: ImageFacts
}

/** Captions handed to the extractor at once. */
const CAPTIONS_PER_BATCH = 64

/**
 * @param earlier labels only the rows of this version whose reject may pass by now; the others are
 *   taken over into the next version, which is published if any of them changed
 * @returns the record, or undefined if there was nothing to publish or another process was first
 * @throws ShardError, FatalError, InputError, or the signal's reason; nothing is published then
 */
export async function runShard(
  shard: Shard,
  tools: ShardTools,
  signal: AbortSignal,
  earlier?: CommitRecord,
): Promise<CommitRecord | undefined> {
  const { store, runId, onRow } = tools
  const startedAt = new Date()
  const of = { shard: shard.id, version: (earlier?.version ?? 0) + 1 }
  const kept = earlier === undefined ? undefined : await readKept(openShard(store, earlier))
  const attempt = await beginShard(store, of)
  const journal = await store.openJournal(of)
  // Stops the stages below when one of them fails.
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  setMaxListeners(0, either) // one listener per image in flight
  const accounts = new ShardAccounts(shard, kept, onRow)
  const files = new ShardFiles(attempt, kept)
  const { stageSeconds, timed } = startClock()
  try {
    await labelRows({ shard, tools, kept, journal, accounts, files, timed, signal: either })
    if (!accounts.hasChanged()) {
      await files.abort()
      await attempt.discard()
      await journal.remove()
      return undefined
    }
    const { counts, reasons, ...ended } = accounts.close(tools.digestUrl)
    const record: CommitRecord = {
      formatVersion: COMMIT_FORMAT,
      runId,
      ...of,
      rows: { start: shard.start, end: shard.end },
      files: await timed('commit', () => files.finish(ended, runId)),
      counts,
      reasons,
      stats: {
        host: os.hostname(),
        version: VERSION,
        provider: tools.teacher.provider,
        startedAt: startedAt.toISOString(),
        seconds: (Date.now() - startedAt.getTime()) / 1000,
        stageSeconds,
      },
    }
    const isFirst = await publishShard(attempt, record)
    await journal.remove()
    return isFirst ? record : undefined
  } catch (error) {
    failed.abort(error)
    await files.abort()
    await journal.close()
    await attempt.discard()
    throw error
  }
}

interface StageClock {
  /** Summed over rows; stages overlap. */
  readonly stageSeconds: Record<string, number>
  /** Adds the time of the work to a stage. */
  readonly timed: <T>(stage: keyof typeof NO_SECONDS, work: () => Promise<T>) => Promise<T>
}

const NO_SECONDS = { phrases: 0, fetch: 0, images: 0, store: 0, commit: 0 }

function startClock(): StageClock {
  const stageSeconds = { ...NO_SECONDS }
  return {
    stageSeconds,
    timed: async (stage, work) => {
      const start = performance.now()
      try {
        return await work()
      } finally {
        stageSeconds[stage] += (performance.now() - start) / 1000
      }
    },
  }
}

/** Every row of the shard that is not kept, to its end. */
async function labelRows(labelling: Labelling): Promise<void> {
  const { shard, tools, kept, journal, accounts, files, timed, signal } = labelling
  const read = tools.source.read(shard, signal)
  const rows = kept === undefined ? read : onlyRows(read, kept.retried)
  const images = loadShardImages(phrasedRows(rows, labelling), {
    images: tools.images,
    journal,
    options: tools.options,
    kept: kept?.rows ?? [],
    onError: ({ row, image }, error) => {
      accounts.rejectError({ row, url: referenceOf(image) }, error)
    },
    timed,
    signal,
  })
  for await (const grounding of tools.teacher.groundShard(
    storedSamples(images, labelling),
    signal,
  )) {
    signal.throwIfAborted()
    const { row, url, caption, facts, phrases, extra } = grounding.sample
    const key = keyOf(shard, row)
    if ('error' in grounding) {
      files.forgetImage(key)
      accounts.rejectError(grounding.sample, grounding.error)
      continue
    }
    const { candidates, droppedPhrases } = grounding
    const optional = extra === undefined ? {} : { extra }
    accounts.ground(
      { key, row, url, caption, ...facts, phrases, candidates, ...optional },
      droppedPhrases.length,
    )
  }
  signal.throwIfAborted()
}

async function* phrasedRows(
  items: AsyncIterable<SourceRow | SourceReject>,
  { tools, accounts, timed, signal }: Labelling,
): AsyncGenerator<PhrasedRow> {
  const extract = async (batch: readonly (SourceRow | SourceReject)[]) => {
    const rows = batch.filter((item): item is SourceRow => !('code' in item))
    const results = await timed('phrases', () => tools.extractor.extract(rows, signal))
    return { batch, results: new Map(rows.map((row, index) => [row.row, results[index]!])) }
  }
  const checkRepeats = createCaptionLimit(tools.maxRepeats)
  for await (const { batch, results } of mapOrdered(batches(items), 2, extract)) {
    for (const item of batch) {
      if ('code' in item) {
        accounts.reject(item)
        continue
      }
      const { row } = item
      const url = referenceOf(item.image)
      const result = results.get(row)!
      if ('code' in result) {
        accounts.reject({ row, code: result.code, detail: result.detail, url: url ?? undefined })
        continue
      }
      const { caption, phrases } = result
      const repeated = checkRepeats(caption)
      if (repeated === undefined) yield { ...item, caption, phrases }
      else accounts.rejectError({ row, url }, repeated)
    }
  }
}

/** Stores images on their way to the teacher, so that none waits there. */
async function* storedSamples(
  images: AsyncIterable<RowImage<PhrasedRow>>,
  { shard, tools, files, timed }: Labelling,
): AsyncGenerator<Sample> {
  const { storeImages } = tools.options
  for await (const { row: phrased, checked, read } of images) {
    const { row, image, caption, phrases, extra } = phrased
    const { reencoded, input, ...facts } = checked
    if (input === undefined) throw new TypeError('the image loader does not fit images')
    // A local file is referred to in place, unless its pixels lie another way than the boxes say.
    const isInPlace = image.kind === 'file' && reencoded === undefined
    if (storeImages === 'always' || (storeImages === 'auto' && !isInPlace)) {
      await timed('store', async () => {
        const bytes = await read()
        await files.storeImage({ key: keyOf(shard, row), format: facts.format, bytes })
        void dropped(bytes.length)
      })
    }
    const optional = extra === undefined ? {} : { extra }
    yield { row, url: referenceOf(image), caption, phrases, input, facts, ...optional }
  }
}

function referenceOf(image: ImageRef): string | null {
  switch (image.kind) {
    case 'url':
      return image.url
    case 'file':
      return image.path
    case 'bytes':
      return null
  }
}

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < CAPTIONS_PER_BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
