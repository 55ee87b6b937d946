// export.json: what an export holds and how it came to be. Nothing in it depends on when or where the
// export was made.

import type { Json } from '../core/types.ts'
import type { FilterCounts } from '../filter/filter-run.ts'
import type { BalanceOptions, FilterOptions } from '../filter/options.ts'
import type { RunManifest } from '../store/run-manifest.ts'
import type { FileDigest } from '../store/run-store.ts'
import { VERSION } from '../version.ts'
import type { CommonOptions } from './options.ts'
import type { OutputPlace } from './output-files.ts'
import type { ExportFormat } from './writer.ts'

const EXPORT_RECORD_VERSION = 1

/** What to export, and how. */
export interface ExportRequest extends OutputPlace {
  readonly runDir: string
  readonly format: ExportFormat
  /** Of a format with dialects; absent: its first. */
  readonly dialect?: string | undefined
  readonly filter: FilterOptions
  readonly balance: BalanceOptions
  /** The `export:` section; options of other formats have no effect. */
  readonly options: CommonOptions
}

/** What became of rows and candidates. */
export interface ExportCounts extends FilterCounts {
  /** Phrases with a region, summed over samples. */
  readonly phrases: number
  readonly categories: number
}

/** What an export holds. */
export interface ExportSummary {
  readonly counts: ExportCounts
  /** Shards of the run; an export holds those that were committed when it began. */
  readonly shards: { readonly committed: number; readonly planned: number }
  readonly files: Readonly<Record<string, FileDigest>>
}

/** What is exported, from what. */
interface ExportSource {
  readonly request: ExportRequest
  /** Those that the format has. */
  readonly options: CommonOptions
  readonly manifest: RunManifest
}

/** The record; the recipe is that of the request, which is made for several formats. */
export function exportRecord(
  { request, options: { boxSupervision }, manifest }: ExportSource,
  { counts, shards, files }: ExportSummary,
): Json {
  const { format, dialect = format.dialects[0], filter, balance, options } = request
  return JSON.parse(
    JSON.stringify({
      formatVersion: EXPORT_RECORD_VERSION,
      format: format.name,
      dialect,
      // False while the run is not complete: the same command gives more later.
      isComplete: shards.committed === shards.planned,
      minScore: filter.score ?? manifest.teacher.defaultScore,
      boxSupervision,
      recipe: { filter, balance, export: options },
      counts,
      files,
      provenance: {
        groundmill: VERSION,
        runId: manifest.runId,
        shards,
        teacher: manifest.teacher,
        source: manifest.identity.source,
        labelling: manifest.identity.config,
      },
    }),
  ) as Json
}
