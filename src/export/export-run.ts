// A run to training files: filter once to learn the categories where a format needs them, once more
// to write. Memory: the list of shards, the vocabulary, and what filter-run.ts states; image bytes one
// at a time.

import path from 'node:path'
import { InputError } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import type { SampleDrop } from '../filter/filter.ts'
import { filterRun, type FilterCounts, type FilteredRun } from '../filter/filter-run.ts'
import { makeFolder, writeSynced } from '../store/posix/durable.ts'
import { openManifest } from '../store/run-manifest.ts'
import { createPosixStore } from '../store/posix/posix-store.ts'
import { committedShards, type CommittedShard } from '../store/shards.ts'
import { categoryPolicy, everyPhrase, orderCategories, type CategoryOf } from './categories.ts'
import {
  exportRecord,
  type ExportCounts,
  type ExportRequest,
  type ExportSummary,
} from './export-record.ts'
import { imageName, openShardImages, type ShardImages } from './images.ts'
import { createNegatives, type DrawNegatives } from './negatives.ts'
import type { CommonOptions } from './options.ts'
import { EXPORT_RECORD, writeFolder, type OutputFolder } from './output-files.ts'
import { toExportSample, withoutTwins, type ExportSample } from './sample.ts'
import type { ExportWriter } from './writer.ts'

/**
 * Exports the shards that are committed now; the teacher is not touched.
 *
 * @throws InputError if the folder is no run, holds no committed shard, or no sample passes the filter;
 *   ConfigError for `to` and for options that do not fit the format or the run
 */
export async function exportRun(
  request: ExportRequest,
  signal: AbortSignal,
): Promise<ExportSummary> {
  const { runDir, filter, balance, format } = request
  const { options, needsCategories, createWriter } = format.configure(request.options)
  const manifest = await openManifest(runDir)
  // A run may go on meanwhile: every pass must see the same shards.
  const shards: CommittedShard[] = []
  for await (const shard of committedShards(createPosixStore(runDir))) shards.push(shard)
  if (shards.length === 0) {
    throw new InputError(`${runDir} has no committed shard yet; label it first`)
  }
  async function* rows(): AsyncGenerator<GroundingRow> {
    for (const shard of shards) {
      for await (const row of shard.rows()) {
        signal.throwIfAborted()
        yield row
      }
    }
  }
  const filtered = await filterRun(rows, filter, balance, manifest.teacher.defaultScore)
  const policy = categoryPolicy(options.categories)
  const vocabulary =
    needsCategories || options.negatives.perImage > 0
      ? orderCategories(await usedCategories(filtered, policy), options.categories)
      : []
  const naming: Naming = {
    shards,
    // Inside the format's files they need no place of their own.
    images: format.needsImages ? 'none' : options.images,
    hasCategories: needsCategories,
    categoryOf: needsCategories ? policy : everyPhrase,
    negativesOf: createNegatives(vocabulary, policy, options.negatives),
  }
  const categories = needsCategories ? vocabulary : []
  return writeFolder(request, async (folder) => {
    const { dialect = format.dialects[0] } = request
    const writer = createWriter({ folder, manifest, categories, dialect })
    const copiesImages = naming.images === 'copy'
    const written = await writeOutcomes(exportOutcomes(filtered, naming), {
      folder,
      writer,
      copiesImages,
    })
    const counts: ExportCounts = {
      ...withGone(filtered.counts(), written.gone),
      phrases: written.phrases,
      categories: categories.length,
    }
    if (counts.samples === 0) throw nothingLeft(runDir, counts)
    const { files } = folder
    const planned = manifest.plan.shards
    const summary = { counts, shards: { committed: shards.length, planned }, files }
    const record = exportRecord({ request, options, manifest }, summary)
    await writeSynced(path.join(folder.path, EXPORT_RECORD), `${JSON.stringify(record, null, 2)}\n`)
    return summary
  })
}

/** From exported samples, so that both passes see the same text. */
async function usedCategories(filtered: FilteredRun, categoryOf: CategoryOf): Promise<Set<string>> {
  const used = new Set<string>()
  for await (const filteredSample of filtered.samples()) {
    const sample = toExportSample(filteredSample, { fileName: '', categoryOf })
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
  /** Of the run, in order. */
  readonly shards: readonly CommittedShard[]
  readonly images: CommonOptions['images']
  /** Whether boxes have categories in place of phrases. */
  readonly hasCategories: boolean
  readonly categoryOf: CategoryOf
  readonly negativesOf: DrawNegatives
}

async function* exportOutcomes(
  filtered: FilteredRun,
  { shards, images, hasCategories, categoryOf, negativesOf }: Naming,
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
    const fileName = imageName(row, shard, images)
    const named = toExportSample(outcome, { fileName, categoryOf, negatives: negativesOf(row) })
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

/** Regions, and the samples that had only such, which the filter kept and the files do not have. */
interface Gone {
  samples: number
  no_category: number
  same_category: number
}

/** Where outcomes go. */
interface Output {
  readonly folder: OutputFolder
  readonly writer: ExportWriter
  readonly copiesImages: boolean
}

async function writeOutcomes(
  outcomes: AsyncIterable<ExportOutcome>,
  { folder, writer, copiesImages }: Output,
): Promise<{ readonly gone: Gone; readonly phrases: number }> {
  const dropped = await folder.create('dropped.jsonl')
  const gone: Gone = { samples: 0, no_category: 0, same_category: 0 }
  let phrases = 0
  let shard: CommittedShard | undefined
  let images: ShardImages | undefined
  try {
    for await (const outcome of outcomes) {
      const { row } = outcome
      gone.no_category += outcome.gone.no_category
      gone.same_category += outcome.gone.same_category
      if ('dropped' in outcome) {
        if (outcome.dropped === 'no_category') gone.samples++
        const line = { key: row.key, row: row.row, reason: outcome.dropped }
        await dropped.write(`${JSON.stringify(line)}\n`)
        continue
      }
      const { sample } = outcome
      const file = path.join(folder.path, 'images', sample.fileName)
      if (images === undefined || outcome.shard !== shard) {
        shard = outcome.shard
        await images?.close()
        images = openShardImages(shard)
        if (copiesImages) await makeFolder(path.dirname(file))
        await writer.beginShard(shard.id)
      }
      const ofShard = images
      phrases += new Set(sample.regions.map(({ phrase }) => phrase)).size
      if (copiesImages) await ofShard.copy(row, file)
      await writer.write(sample, () => ofShard.read(row))
    }
  } finally {
    await images?.close()
  }
  await writer.close()
  await folder.finish(dropped)
  return { gone, phrases }
}

/** The filter knows nothing of categories. */
function withGone(counts: FilterCounts, gone: Gone): FilterCounts {
  const { samples, ...candidates } = gone
  const some = (dropped: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(dropped).filter(([, count]) => count > 0))
  return {
    ...counts,
    samples: counts.samples - samples,
    droppedSamples: { ...counts.droppedSamples, ...some({ no_category: samples }) },
    regions: counts.regions - gone.no_category - gone.same_category,
    droppedCandidates: { ...counts.droppedCandidates, ...some(candidates) },
  }
}

function nothingLeft(runDir: string, { rows, droppedSamples }: FilterCounts): InputError {
  const reasons = Object.entries(droppedSamples).map(([reason, count]) => `${reason} ${count}`)
  return new InputError(
    `no sample of ${runDir} is left to export: of ${rows} rows went ${reasons.join(', ') || 'none'}; ` +
      'a lower --min-score or other filter options may keep some',
  )
}
