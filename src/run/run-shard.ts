// One shard from rows to its commit record. Every row ends as a grounding or as a reject; the equation
// is checked before anything is published.

import { setMaxListeners } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { SampleError, ShardError } from '../core/errors.ts'
import { isSealed, stageOf, type ReasonCode, type Reject } from '../core/reasons.ts'
import type {
  GroundingRow,
  ImageFacts,
  ImageFormat,
  ImageRef,
  Phrase,
  Shard,
  SourceRow,
} from '../core/types.ts'
import { dropped } from '../system/v8.ts'
import type { ImageLoader } from '../ingest/image/load.ts'
import type { CaptionSource, SourceReject } from '../ingest/source/source.ts'
import type { PhraseExtractor } from '../nlp/extractor.ts'
import { COMMIT_FORMAT, type CommitRecord } from '../store/commit-record.ts'
import { writeSynced, type FileDigest } from '../store/posix/durable.ts'
import { openFetchJournal, type FetchJournal } from '../store/posix/fetch-journal.ts'
import { encodeGroundings } from '../store/groundings.ts'
import { createImagesTar, dropImages } from '../store/images-tar.ts'
import {
  beginAttempt,
  GROUNDINGS_FILE,
  IMAGES_FILE,
  openShard,
  REJECTS_FILE,
} from '../store/posix/shards.ts'
import type { UrlDigest } from '../store/url-digest.ts'
import type { Teacher, TeacherSample } from '../teacher/teacher.ts'
import { VERSION } from '../version.ts'
import { createCaptionLimit } from './duplicates.ts'
import {
  createKeptImages,
  onlyRows,
  readKept,
  type KeptImages,
  type KeptRows,
} from './kept-rows.ts'
import { mapOrdered } from '../system/map-ordered.ts'
import type { RunOptions } from './options.ts'
import { loadShardImages, type RowImage } from './shard-images.ts'

/** What the shards of a run share. */
export interface ShardTools {
  readonly runDir: string
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

/** Zero-padded shard id + row in shard; five digits each, more for shard ids from 100,000. */
export function keyOf(shard: Shard, row: number): string {
  return String(shard.id).padStart(5, '0') + String(row - shard.start).padStart(5, '0')
}

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
  const startedAt = new Date()
  const version = (earlier?.version ?? 0) + 1
  const kept = earlier === undefined ? undefined : await readKept(openShard(tools.runDir, earlier))
  const attempt = await beginAttempt(tools.runDir, shard.id, version)
  const journal = await openFetchJournal(tools.runDir, shard.id, version)
  // Stops the stages below when one of them fails.
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  setMaxListeners(0, either) // one listener per image in flight
  const outcome = new ShardOutcome(shard, attempt.dir, journal, tools, kept)
  try {
    await outcome.label(either)
    if (kept !== undefined && !outcome.hasChanged()) {
      await outcome.abort()
      await attempt.discard()
      await journal.remove()
      return undefined
    }
    const files = await outcome.finish()
    const record: CommitRecord = {
      formatVersion: COMMIT_FORMAT,
      runId: tools.runId,
      shard: shard.id,
      version,
      rows: { start: shard.start, end: shard.end },
      files,
      ...outcome.totals(),
      stats: {
        host: os.hostname(),
        version: VERSION,
        provider: tools.teacher.provider,
        startedAt: startedAt.toISOString(),
        seconds: (Date.now() - startedAt.getTime()) / 1000,
        stageSeconds: outcome.stageSeconds,
      },
    }
    const isFirst = await attempt.publish(record)
    await journal.remove()
    return isFirst ? record : undefined
  } catch (error) {
    failed.abort(error)
    await outcome.abort()
    await journal.close()
    await attempt.discard()
    throw error
  }
}

class ShardOutcome {
  readonly #shard: Shard
  readonly #dir: string
  readonly #journal: FetchJournal
  readonly #tools: ShardTools
  readonly #kept: KeptRows | undefined
  readonly #rows: GroundingRow[] = []
  readonly #rejects: Reject[] = []
  readonly #tar
  readonly #keptImages: KeptImages | undefined
  #droppedPhrases = 0
  /** Keys of the images in the archive. */
  readonly #storedKeys = new Set<string>()
  /** Those of them whose rows have failed since. */
  readonly #orphans = new Set<string>()
  readonly stageSeconds = { phrases: 0, fetch: 0, images: 0, store: 0, commit: 0 }

  constructor(
    shard: Shard,
    dir: string,
    journal: FetchJournal,
    tools: ShardTools,
    kept: KeptRows | undefined,
  ) {
    this.#shard = shard
    this.#kept = kept
    this.#dir = dir
    this.#journal = journal
    this.#tools = tools
    this.#tar = createImagesTar(path.join(dir, IMAGES_FILE))
    this.#keptImages = kept === undefined ? undefined : createKeptImages(kept.images())
  }

  async label(signal: AbortSignal): Promise<void> {
    const { source, teacher } = this.#tools
    const rows = source.read(this.#shard, signal)
    const kept = this.#kept
    const phrased = this.#phrased(kept === undefined ? rows : onlyRows(rows, kept.retried), signal)
    const images = loadShardImages(
      phrased,
      {
        images: this.#tools.images,
        journal: this.#journal,
        options: this.#tools.options,
        kept: kept?.rows ?? [],
        onError: (row, error) => {
          this.#rejectError(row.row, referenceOf(row.image), error)
        },
        timed: (stage, work) => this.#timed(stage, work),
      },
      signal,
    )
    for await (const grounding of teacher.groundShard(this.#stored(images), signal)) {
      signal.throwIfAborted()
      const { row, url, caption, facts, phrases, extra } = grounding.sample
      const key = keyOf(this.#shard, row)
      if ('error' in grounding) {
        if (this.#storedKeys.delete(key)) this.#orphans.add(key)
        this.#rejectError(row, url, grounding.error)
        continue
      }
      this.#droppedPhrases += grounding.droppedPhrases.length
      this.#rows.push({
        key,
        row,
        url,
        caption,
        ...facts,
        phrases,
        candidates: grounding.candidates,
        ...(extra === undefined ? {} : { extra }),
      })
      this.#tools.onRow()
    }
    signal.throwIfAborted()
    await this.#addKeptImages()
  }

  /** Stores images on their way to the teacher, so that none waits there. */
  async *#stored(images: AsyncIterable<RowImage<PhrasedRow>>): AsyncGenerator<Sample> {
    for await (const { row: phrased, checked, read } of images) {
      const { row, image, caption, phrases, extra } = phrased
      const { reencoded, input, ...facts } = checked
      if (input === undefined) throw new TypeError('the image loader does not fit images')
      if (this.#isStored(image, reencoded !== undefined)) {
        await this.#timed('store', async () => {
          const key = keyOf(this.#shard, row)
          await this.#addKeptImages(key)
          const bytes = await read()
          await this.#addImage(key, facts.format, bytes)
          void dropped(bytes.length)
        })
      }
      const optional = extra === undefined ? {} : { extra }
      yield { row, url: referenceOf(image), caption, phrases, input, facts, ...optional }
    }
  }

  /** True if a row has another fate than in the version before. */
  hasChanged(): boolean {
    return (
      this.#rows.length > 0 ||
      this.#rejects.some(({ row, code }) => this.#kept?.retried.get(row) !== code)
    )
  }

  async #addImage(key: string, format: ImageFormat, bytes: Uint8Array): Promise<void> {
    this.#storedKeys.add(key)
    await this.#tar.add(key, format, bytes)
  }

  /** Images of the version before up to a key, so that the archive stays in row order. */
  async #addKeptImages(before?: string): Promise<void> {
    if (this.#keptImages === undefined) return
    for await (const { key, format, bytes } of this.#keptImages.take(before)) {
      await this.#addImage(key, format, bytes)
    }
  }

  /** Writes the files of the shard, complete and synced. */
  async finish(): Promise<Record<string, FileDigest>> {
    if (this.#kept !== undefined) {
      this.#rows.push(...this.#kept.rows)
      this.#rows.sort((a, b) => a.row - b.row)
      this.#rejects.push(...this.#kept.rejects)
      this.#droppedPhrases += this.#kept.droppedPhrases
    }
    assertAccounted(this.#shard, this.#rows, this.#rejects)
    return this.#timed('commit', () => this.#writeFiles())
  }

  async #writeFiles(): Promise<Record<string, FileDigest>> {
    const file = path.join(this.#dir, IMAGES_FILE)
    let images = await this.#tar.close()
    const isReferenced = this.#storedKeys.size === 0
    if (isReferenced) await fs.rm(file)
    else if (this.#orphans.size > 0) images = await dropImages(file, this.#orphans)
    const rejects = sealRejects(this.#rejects, this.#tools.digestUrl)
      .sort((a, b) => a.row - b.row)
      .map((one) => JSON.stringify(one))
    return {
      [GROUNDINGS_FILE]: await writeSynced(
        path.join(this.#dir, GROUNDINGS_FILE),
        encodeGroundings(this.#rows, this.#tools.runId),
      ),
      ...(isReferenced ? {} : { [IMAGES_FILE]: images }),
      [REJECTS_FILE]: await writeSynced(
        path.join(this.#dir, REJECTS_FILE),
        rejects.map((line) => `${line}\n`).join(''),
      ),
    }
  }

  async abort(): Promise<void> {
    await this.#keptImages?.close()
    await this.#tar.abort()
  }

  totals(): Pick<CommitRecord, 'counts' | 'reasons'> {
    const reasons: Partial<Record<ReasonCode, number>> = {}
    for (const { code } of this.#rejects) reasons[code] = (reasons[code] ?? 0) + 1
    const sum = (count: (row: GroundingRow) => number) =>
      this.#rows.reduce((total, row) => total + count(row), 0)
    return {
      counts: {
        groundings: this.#rows.length,
        rejects: this.#rejects.length,
        phrases: sum((row) => row.phrases.length),
        candidates: sum((row) => row.candidates.length),
        droppedPhrases: this.#droppedPhrases,
      },
      reasons: Object.fromEntries(Object.entries(reasons).sort(([a], [b]) => (a < b ? -1 : 1))),
    }
  }

  async *#phrased(
    items: AsyncIterable<SourceRow | SourceReject>,
    signal: AbortSignal,
  ): AsyncGenerator<PhrasedRow> {
    const extract = async (batch: readonly (SourceRow | SourceReject)[]) => {
      const rows = batch.filter((item): item is SourceRow => !('code' in item))
      const results = await this.#timed('phrases', () =>
        this.#tools.extractor.extract(rows, signal),
      )
      return { batch, results: new Map(rows.map((row, index) => [row.row, results[index]!])) }
    }
    const checkRepeats = createCaptionLimit(this.#tools.maxRepeats)
    for await (const { batch, results } of mapOrdered(batches(items), 2, extract)) {
      for (const item of batch) {
        if ('code' in item) {
          this.#reject(item.row, item.code, item.detail, item.url === undefined ? {} : item)
          continue
        }
        const result = results.get(item.row)!
        if ('code' in result) {
          this.#reject(item.row, result.code, result.detail, urlOf(referenceOf(item.image)))
          continue
        }
        const { caption, phrases } = result
        const repeated = checkRepeats(caption)
        if (repeated === undefined) yield { ...item, caption, phrases }
        else this.#rejectError(item.row, referenceOf(item.image), repeated)
      }
    }
  }

  /** A local file is referred to in place, unless its pixels lie another way than the boxes say. */
  #isStored(image: ImageRef, isReencoded: boolean): boolean {
    const { storeImages } = this.#tools.options
    const isInPlace = image.kind === 'file' && !isReencoded
    return storeImages === 'always' || (storeImages === 'auto' && !isInPlace)
  }

  #rejectError(row: number, url: string | null, { code, message, context }: SampleError): void {
    const { httpStatus, host, attempts, time, urlDigest } = context
    if (isSealed(code)) {
      this.#reject(row, code, message, {
        ...(time === undefined ? {} : { time }),
        ...(urlDigest === undefined ? {} : { urlDigest }),
      })
      return
    }
    this.#reject(row, code, message, {
      ...urlOf(url),
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(host === undefined ? {} : { host }),
      ...(attempts === undefined ? {} : { attempts }),
    })
  }

  #reject(row: number, code: ReasonCode, detail: string, context: Partial<Reject>): void {
    const { url, httpStatus, host, attempts, time, urlDigest } = context
    this.#rejects.push({
      key: keyOf(this.#shard, row),
      row,
      stage: stageOf(code),
      code,
      detail,
      ...(url === undefined ? {} : { url }),
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(host === undefined ? {} : { host }),
      ...(attempts === undefined ? {} : { attempts }),
      ...(time === undefined ? {} : { time }),
      ...(urlDigest === undefined ? {} : { urlDigest }),
    })
    this.#tools.onRow()
  }

  async #timed<T>(stage: keyof ShardOutcome['stageSeconds'], work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await work()
    } finally {
      this.stageSeconds[stage] += (performance.now() - start) / 1000
    }
  }
}

/**
 * Every row of the shard is a grounding or a reject, and only one of them.
 *
 * @throws ShardError naming the first row that is lost, doubled or not of this shard
 */
export function assertAccounted(
  { id, start, end }: Pick<Shard, 'id' | 'start' | 'end'>,
  groundings: readonly { readonly row: number }[],
  rejects: readonly { readonly row: number }[],
): void {
  const seen = new Uint8Array(end - start)
  const counts =
    `shard ${id} has ${end - start} rows, but ${groundings.length} groundings and ` +
    `${rejects.length} rejects`
  for (const { row } of [...groundings, ...rejects]) {
    if (row < start || row >= end)
      throw new ShardError(`${counts}: row ${row} is not of this shard`)
    if (seen[row - start] !== 0) throw new ShardError(`${counts}: row ${row} ended twice`)
    seen[row - start] = 1
  }
  const lost = seen.indexOf(0)
  if (lost >= 0) throw new ShardError(`${counts}: row ${start + lost} is lost`)
}

/** Hides the URL of a sealed reject in all others of the shard that have it, whatever their code. */
function sealRejects(rejects: readonly Reject[], digestUrl: UrlDigest): Reject[] {
  const sealed = new Set(rejects.flatMap(({ urlDigest }) => urlDigest ?? []))
  if (sealed.size === 0) return [...rejects]
  return rejects.map((reject) => {
    const { url, host: _, ...others } = reject
    const urlDigest = url === undefined ? undefined : digestUrl(url)
    return urlDigest !== undefined && sealed.has(urlDigest) ? { ...others, urlDigest } : reject
  })
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

function urlOf(url: string | null): { url?: string } {
  return url === null ? {} : { url }
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
