// export.json: what an export holds and how it came to be. Nothing in it depends on when or where the
// export was made.

import type { Json } from '../core/types.ts'
import { VERSION } from '../version.ts'
import type { ExportSummary, WriterContext } from './export-run.ts'

export const EXPORT_FORMAT = 1

/** Also the sign by which a folder is known to be an export, which may be replaced. */
export const EXPORT_RECORD = 'export.json'

export function exportRecord(context: WriterContext, summary: ExportSummary): Json {
  const { request, manifest } = context
  const { format, dialect, filter, balance, options } = request
  const { counts, shards, files } = summary
  return JSON.parse(
    JSON.stringify({
      formatVersion: EXPORT_FORMAT,
      format,
      ...(format === 'odvg' ? { dialect } : {}),
      // False while the run is not complete: the same command gives more later.
      isComplete: shards.committed === shards.planned,
      minScore: filter.score ?? manifest.teacher.defaultScore,
      boxSupervision: options.boxSupervision,
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
