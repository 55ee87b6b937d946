// An export for programs: the format by its name, all else at its default.

import { parseConfig, type Config } from '../config.ts'
import type { ExportSummary } from '../export/export-record.ts'
import { exportRun } from '../export/export-run.ts'
import { EXPORT_FORMATS } from '../export/formats/index.ts'
import { formatNamed } from './formats.ts'

/** What `exportDataset` is asked for. */
export interface ExportOptions {
  readonly runDir: string
  /** Folder to make. */
  readonly to: string
  /** A name of `groundmill export --help`, e.g. "coco". */
  readonly format: string
  /** Of a format that loaders read in several ways; absent: its first. */
  readonly dialect?: string
  /** Its sections `filter:`, `balance:` and `export:`; absent: all at their defaults. */
  readonly config?: Pick<Config, 'filter' | 'balance' | 'export'>
  /** Whether an earlier export at `to` gives way. */
  readonly overwrite?: boolean
  readonly signal?: AbortSignal
}

/**
 * Filters the candidates of the shards that are committed now and writes training files; the teacher is not
 * touched.
 *
 * @throws ConfigError for a format, dialect, folder or option that cannot be; InputError if the folder is no
 *   run, holds no committed shard, or no sample passes the filter; the signal's reason
 */
export async function exportDataset({
  runDir,
  to,
  format: name,
  dialect,
  config = parseConfig({}),
  overwrite = false,
  signal = new AbortController().signal,
}: ExportOptions): Promise<ExportSummary> {
  const format = formatNamed({ format: name, dialect }, EXPORT_FORMATS)
  const { filter, balance, export: options } = config
  return exportRun({ runDir, to, overwrite, format, dialect, filter, balance, options }, signal)
}
