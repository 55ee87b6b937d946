// A run to training files: filter once to learn the categories, once more to write.

import fs from 'node:fs/promises'
import path from 'node:path'
import { ConfigError, InputError } from '../core/errors.ts'
import type { GroundingRow, Json } from '../core/types.ts'
import type { FilteredSample } from '../filter/filter.ts'
import { filterRun, type FilterCounts } from '../filter/filter-run.ts'
import type { BalanceOptions, FilterOptions } from '../filter/options.ts'
import { codeOf, naming, writeSynced, type FileDigest } from '../store/durable.ts'
import { openManifest, type RunManifest } from '../store/run-manifest.ts'
import { readCommittedShards, shardName, type CommittedShard } from '../store/shards.ts'
import { VERSION } from '../version.ts'
import { categoryPolicy, orderCategories } from './categories.ts'
import { createCocoWriter } from './coco-writer.ts'
import type { OdvgDialect } from './odvg.ts'
import { createOdvgWriter } from './odvg-writer.ts'
import type { ExportOptions } from './options.ts'
import { writeFolder } from './output-files.ts'
import { toExportSample, type ExportSample } from './sample.ts'

export const EXPORT_FORMATS = ['odvg', 'coco'] as const
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

/** Writes one format. Files are named by the writer, relative to the export's folder. */
export interface ExportWriter {
  beginShard(id: number): Promise<void>
  write(sample: ExportSample): Promise<void>
  /** Ends the last shard and returns what was written. */
  close(): Promise<Record<string, FileDigest>>
}

export interface WriterContext {
  readonly folder: string
  readonly request: ExportRequest
  readonly manifest: RunManifest
  /** In the order of their ids. */
  readonly categories: readonly string[]
}

export interface ExportSummary {
  readonly counts: FilterCounts & {
    readonly phrases: number
    readonly categories: number
    /** Regions whose phrase has no category. */
    readonly uncategorized: number
  }
  readonly files: Readonly<Record<string, FileDigest>>
}

/**
 * Exports the committed shards of a run; the teacher is not touched.
 *
 * @throws InputError if the folder is no run or holds no committed shard; ConfigError for `to` and for
 *   options that do not fit the run
 */
export async function exportRun(
  request: ExportRequest,
  signal: AbortSignal,
): Promise<ExportSummary> {
  const manifest = await openManifest(request.runDir)
  const { filter, balance, options } = request
  async function* rows(): AsyncGenerator<GroundingRow> {
    for await (const shard of readCommittedShards(request.runDir)) {
      signal.throwIfAborted()
      yield* shard.rows()
    }
  }
  const filtered = await filterRun(rows, filter, balance, manifest.teacher.defaultScore)
  const categoryOf = categoryPolicy(options.categories)
  const used = new Set<string>()
  for await (const { row, regions } of filtered.samples()) {
    // Names come from the exported sample, so that both passes see the same text.
    const sample = toExportSample({ row, regions }, '', categoryOf)
    for (const { category } of sample?.regions ?? []) used.add(category)
  }
  if (filtered.counts().rows === 0) {
    throw new InputError(`${request.runDir} has no committed groundings; label it first`)
  }
  const categories = orderCategories(used, options.categories)
  return writeFolder(request.to, request.overwrite, async (folder) => {
    const context: WriterContext = { folder, request, manifest, categories }
    const writer = request.format === 'coco' ? createCocoWriter(context) : createOdvgWriter(context)
    const images = createImageCopier(request, path.join(folder, 'images'))
    const tally = { samples: 0, regions: 0, phrases: 0, uncategorized: 0, noCategory: 0 }
    const samples = filtered.samples()[Symbol.asyncIterator]()
    let next = await samples.next()
    const shards: number[] = []
    for await (const shard of readCommittedShards(request.runDir)) {
      shards.push(shard.id)
      await writer.beginShard(shard.id)
      const wanted: GroundingRow[] = []
      while (next.done !== true && belongsTo(next.value, shard)) {
        signal.throwIfAborted()
        const { row, regions } = next.value
        const sample = toExportSample(next.value, images.nameOf(row, shard), categoryOf)
        if (sample === undefined) {
          tally.noCategory++
          tally.uncategorized += regions.length
        } else {
          tally.samples++
          tally.regions += sample.regions.length
          tally.uncategorized += regions.length - sample.regions.length
          tally.phrases += new Set(sample.regions.map(({ phrase }) => phrase)).size
          await writer.write(sample)
          wanted.push(row)
        }
        next = await samples.next()
      }
      await images.copy(shard, wanted)
    }
    const files = await writer.close()
    const counted = filtered.counts()
    const summary: ExportSummary = {
      counts: {
        ...counted,
        samples: tally.samples,
        regions: tally.regions,
        phrases: tally.phrases,
        categories: categories.length,
        uncategorized: tally.uncategorized,
        droppedSamples: {
          ...counted.droppedSamples,
          ...(tally.noCategory > 0 ? { no_category: tally.noCategory } : {}),
        },
      },
      files,
    }
    await writeSynced(
      path.join(folder, 'export.json'),
      `${JSON.stringify(record(context, summary, shards.length), null, 2)}\n`,
    )
    return summary
  })
}

function belongsTo({ row }: FilteredSample, { commit }: CommittedShard): boolean {
  return row.row >= commit.rows.start && row.row < commit.rows.end
}

/** What export.json says; nothing in it depends on when or where the export was made. */
function record(context: WriterContext, summary: ExportSummary, shards: number): Json {
  const { request, manifest } = context
  return JSON.parse(
    JSON.stringify({
      formatVersion: 1,
      format: request.format,
      ...(request.format === 'odvg' ? { dialect: request.dialect } : {}),
      minScore: request.filter.score ?? manifest.teacher.defaultScore,
      boxSupervision: request.options.boxSupervision,
      recipe: { filter: request.filter, balance: request.balance, export: request.options },
      counts: summary.counts,
      files: summary.files,
      provenance: {
        groundmill: VERSION,
        runId: manifest.runId,
        shards: { committed: shards, planned: manifest.plan.shards },
        teacher: manifest.teacher,
        source: manifest.identity.source,
        labelling: manifest.identity.config,
      },
    }),
  ) as Json
}

interface ImageCopier {
  nameOf(row: GroundingRow, shard: CommittedShard): string
  copy(shard: CommittedShard, rows: readonly GroundingRow[]): Promise<void>
}

function createImageCopier({ options }: ExportRequest, root: string): ImageCopier {
  const nameOf = (row: GroundingRow, shard: CommittedShard): string => {
    if (options.images !== 'reference') return `${shardName(shard.id)}/${row.key}.${row.format}`
    if (row.url === null || /^[a-z][a-z0-9+.-]*:\/\//i.test(row.url)) {
      throw new ConfigError(
        `export.images: reference needs local image files, but ${row.key} is ` +
          `${row.url ?? 'inside an archive'}; use copy`,
      )
    }
    return row.url
  }
  const copy = async (shard: CommittedShard, rows: readonly GroundingRow[]): Promise<void> => {
    if (options.images !== 'copy' || rows.length === 0) return
    const missing = new Map(rows.map((row) => [row.key, row]))
    const folder = path.join(root, shardName(shard.id))
    await naming(folder, () => fs.mkdir(folder, { recursive: true }))
    for await (const { key, name, bytes } of shard.images()) {
      if (!missing.delete(key)) continue
      const file = path.join(folder, name)
      await naming(file, () => fs.writeFile(file, bytes))
    }
    for (const { key, url, format } of missing.values()) {
      const file = path.join(folder, `${key}.${format}`)
      try {
        await naming(file, () => fs.copyFile(url!, file, fs.constants.COPYFILE_FICLONE))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
        throw new InputError(
          `${url}: the image of ${key} is gone; restore it, or export with export.images=none`,
          { cause: error },
        )
      }
    }
  }
  return { nameOf, copy }
}
