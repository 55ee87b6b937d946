// A run to training files: filter once to learn the categories where a format needs them, once more
// to write. Memory: the list of shards, the vocabulary, one shard's kept keys, and what filter-run.ts
// states; image bytes one at a time.

import path from 'node:path'
import type { OdvgDialect } from '../core/dialects.ts'
import { InputError } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import type { SampleDrop } from '../filter/filter.ts'
import { filterRun, type FilterCounts, type FilteredRun } from '../filter/filter-run.ts'
import type { BalanceOptions, FilterOptions } from '../filter/options.ts'
import { writeSynced, type FileDigest } from '../store/posix/durable.ts'
import { openManifest, type RunManifest } from '../store/run-manifest.ts'
import { readCommittedShards, type CommittedShard } from '../store/posix/shards.ts'
import { categoryPolicy, everyPhrase, orderCategories, type CategoryOf } from './categories.ts'
import { createCocoWriter, createGoldgWriter } from './coco-writer.ts'
import { exportRecord } from './export-record.ts'
import { copyImages, imageName } from './images.ts'
import { createJsonlWriter, createOdvgWriter } from './lines-writer.ts'
import { createNegatives, type DrawNegatives } from './negatives.ts'
import type { ExportOptions } from './options.ts'
import { writeFolder, type OutputFolder } from './output-files.ts'
import { toExportSample, withoutTwins, type ExportSample } from './sample.ts'

export const EXPORT_FORMATS = ['odvg', 'coco', 'goldg', 'jsonl'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export interface ExportRequest {
  readonly runDir: string
  readonly to: string
  readonly overwrite: boolean
  readonly format: ExportFormat
  /** Of ODVG only. */
  readonly dialect: OdvgDialect
  readonly filter: FilterOptions
  readonly balance: BalanceOptions
  readonly options: ExportOptions
}

/** Writes one format into the export's folder. */
export interface ExportWriter {
  /** The samples that follow are of this shard; a shard without samples is not begun. */
  beginShard(id: number): Promise<void>
  write(sample: ExportSample): Promise<void>
  /** Ends the last shard. */
  close(): Promise<void>
}

export interface WriterContext {
  readonly folder: OutputFolder
  readonly request: ExportRequest
  readonly manifest: RunManifest
  /** In the order of their ids; none for a format without categories. */
  readonly categories: readonly string[]
}

const WRITERS: Readonly<Record<ExportFormat, (context: WriterContext) => ExportWriter>> = {
  odvg: createOdvgWriter,
  coco: createCocoWriter,
  goldg: createGoldgWriter,
  jsonl: createJsonlWriter,
}

export interface ExportCounts extends FilterCounts {
  /** Phrases with a region, summed over samples. */
  readonly phrases: number
  readonly categories: number
}

export interface ExportSummary {
  readonly counts: ExportCounts
  /** Shards of the run; an export holds those that were committed when it began. */
  readonly shards: { readonly committed: number; readonly planned: number }
  readonly files: Readonly<Record<string, FileDigest>>
}

/**
 * Exports the shards that are committed now; the teacher is not touched.
 *
 * @throws InputError if the folder is no run, holds no committed shard, or no sample passes the filter;
 *   ConfigError for `to` and for options that do not fit the run
 */
export async function exportRun(
  request: ExportRequest,
  signal: AbortSignal,
): Promise<ExportSummary> {
  const { runDir, filter, balance, options, format } = request
  const manifest = await openManifest(runDir)
  // A run may go on meanwhile: every pass must see the same shards.
  const shards: CommittedShard[] = []
  for await (const shard of readCommittedShards(runDir)) shards.push(shard)
  if (shards.length === 0) {
    throw new InputError(`${runDir} has no committed shard yet; label it first`)
  }
  async function* rows(): AsyncGenerator<GroundingRow> {
    for (const shard of shards) {
      signal.throwIfAborted()
      yield* shard.rows()
    }
  }
  const filtered = await filterRun(rows, filter, balance, manifest.teacher.defaultScore)
  const hasCategories = format === 'coco' || (format === 'odvg' && options.variant === 'detection')
  const policy = categoryPolicy(options.categories)
  const vocabulary =
    hasCategories || options.negatives.perImage > 0
      ? orderCategories(await usedCategories(filtered, policy, signal), options.categories)
      : []
  const naming: Naming = {
    images: options.images,
    hasCategories,
    categoryOf: hasCategories ? policy : everyPhrase,
    negativesOf: createNegatives(vocabulary, policy, options.negatives),
  }
  const categories = hasCategories ? vocabulary : []
  return writeFolder(request.to, request.overwrite, async (folder) => {
    const context: WriterContext = { folder, request, manifest, categories }
    const outcomes = exportOutcomes(filtered, shards, naming)
    const counts = {
      ...(await writeOutcomes(outcomes, context, filtered, signal)),
      categories: categories.length,
    }
    if (counts.samples === 0) throw nothingLeft(runDir, counts)
    const { files } = folder
    const planned = manifest.plan.shards
    const summary = { counts, shards: { committed: shards.length, planned }, files }
    const record = `${JSON.stringify(exportRecord(context, summary), null, 2)}\n`
    await writeSynced(path.join(folder.path, 'export.json'), record)
    return summary
  })
}

/** From exported samples, so that both passes see the same text. */
async function usedCategories(
  filtered: FilteredRun,
  categoryOf: CategoryOf,
  signal: AbortSignal,
): Promise<Set<string>> {
  const used = new Set<string>()
  for await (const filteredSample of filtered.samples()) {
    signal.throwIfAborted()
    const sample = toExportSample(filteredSample, '', categoryOf)
    for (const { category } of sample?.regions ?? []) used.add(category)
  }
  return used
}

/** What a row became. */
type ExportOutcome = {
  readonly row: GroundingRow
  /** Regions that the filter kept and the file does not have. */
  readonly gone: { readonly no_category: number; readonly same_category: number }
} & (
  | { readonly dropped: SampleDrop }
  | { readonly shard: CommittedShard; readonly sample: ExportSample }
)

/** How a filtered sample is called in files. */
interface Naming {
  readonly images: ExportOptions['images']
  /** Whether boxes have categories in place of phrases. */
  readonly hasCategories: boolean
  readonly categoryOf: CategoryOf
  readonly negativesOf: DrawNegatives
}

/** @param shards of the run that the rows come from, in order */
async function* exportOutcomes(
  filtered: FilteredRun,
  shards: readonly CommittedShard[],
  { images, hasCategories, categoryOf, negativesOf }: Naming,
): AsyncGenerator<ExportOutcome> {
  let at = 0
  for await (const outcome of filtered.outcomes()) {
    const { row } = outcome
    if ('dropped' in outcome) {
      yield { row, dropped: outcome.dropped, gone: { no_category: 0, same_category: 0 } }
      continue
    }
    while (row.row >= shards[at]!.commit.rows.end) at++
    const shard = shards[at]!
    const name = imageName(row, shard, images)
    const named = toExportSample(outcome, name, categoryOf, negativesOf(row))
    if (named === undefined) {
      const gone = { no_category: outcome.regions.length, same_category: 0 }
      yield { row, dropped: 'no_category', gone }
      continue
    }
    const sample = hasCategories ? withoutTwins(named) : named
    const gone = {
      no_category: outcome.regions.length - named.regions.length,
      same_category: named.regions.length - sample.regions.length,
    }
    yield { row, shard, sample, gone }
  }
}

async function writeOutcomes(
  outcomes: AsyncIterable<ExportOutcome>,
  context: WriterContext,
  filtered: FilteredRun,
  signal: AbortSignal,
): Promise<Omit<ExportCounts, 'categories'>> {
  const { folder, request } = context
  const writer = WRITERS[request.format](context)
  const dropped = await folder.create('dropped.jsonl')
  const gone = { samples: 0, no_category: 0, same_category: 0 }
  let phrases = 0
  let shard: CommittedShard | undefined
  let kept: GroundingRow[] = []
  const endShard = async () => {
    if (shard !== undefined && request.options.images === 'copy') {
      await copyImages(shard, kept, path.join(folder.path, 'images'), signal)
    }
    kept = []
  }
  for await (const outcome of outcomes) {
    signal.throwIfAborted()
    const { key, row } = outcome.row
    gone.no_category += outcome.gone.no_category
    gone.same_category += outcome.gone.same_category
    if ('dropped' in outcome) {
      if (outcome.dropped === 'no_category') gone.samples++
      await dropped.write(`${JSON.stringify({ key, row, reason: outcome.dropped })}\n`)
      continue
    }
    if (outcome.shard !== shard) {
      await endShard()
      shard = outcome.shard
      await writer.beginShard(shard.id)
    }
    phrases += new Set(outcome.sample.regions.map(({ phrase }) => phrase)).size
    kept.push(outcome.row)
    await writer.write(outcome.sample)
  }
  await endShard()
  await writer.close()
  await folder.finish(dropped)
  return { ...withGone(filtered.counts(), gone), phrases }
}

/** The filter knows nothing of categories. */
function withGone(
  counts: FilterCounts,
  gone: { readonly samples: number; readonly no_category: number; readonly same_category: number },
): FilterCounts {
  const some = <Key extends string>(key: Key, count: number) =>
    count === 0 ? {} : { [key]: count }
  return {
    ...counts,
    samples: counts.samples - gone.samples,
    droppedSamples: { ...counts.droppedSamples, ...some('no_category', gone.samples) },
    regions: counts.regions - gone.no_category - gone.same_category,
    droppedCandidates: {
      ...counts.droppedCandidates,
      ...some('no_category', gone.no_category),
      ...some('same_category', gone.same_category),
    },
  }
}

function nothingLeft(runDir: string, { rows, droppedSamples }: FilterCounts): InputError {
  const reasons = Object.entries(droppedSamples).map(([reason, count]) => `${reason} ${count}`)
  return new InputError(
    `no sample of ${runDir} is left to export: of ${rows} rows went ${reasons.join(', ') || 'none'}; ` +
      'a lower --min-score or other filter options may keep some',
  )
}
