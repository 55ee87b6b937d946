import fs from 'node:fs/promises'
import path from 'node:path'
import type { ExportRequest, ExportSummary } from '../../src/export/export-record.ts'
import { exportRun } from '../../src/export/export-run.ts'
import { EXPORT_FORMATS, exportSectionSchema } from '../../src/export/formats/index.ts'
import type { ExportFormat } from '../../src/export/writer.ts'
import { balanceOptionsSchema, filterOptionsSchema } from '../../src/filter/options.ts'

export interface ExportSpec extends Partial<Pick<ExportRequest, 'dialect' | 'overwrite'>> {
  /** By name, or one that is not in the list. */
  readonly format?: string | ExportFormat
  readonly filter?: Parameters<typeof filterOptionsSchema.parse>[0]
  readonly balance?: Parameters<typeof balanceOptionsSchema.parse>[0]
  readonly options?: Parameters<typeof exportSectionSchema.parse>[0]
  readonly signal?: AbortSignal
}

/** Annotations alone (images: none) unless `options` says otherwise. */
export function exportTo(
  runDir: string,
  to: string,
  spec: ExportSpec = {},
): Promise<ExportSummary> {
  const { filter = {}, balance = {}, options = {}, format = 'odvg', signal, ...over } = spec
  return exportRun(
    {
      runDir,
      to,
      overwrite: false,
      format: typeof format === 'string' ? formatCalled(format) : format,
      filter: filterOptionsSchema.parse(filter),
      balance: balanceOptionsSchema.parse(balance),
      options: exportSectionSchema.parse({ images: 'none', ...(options as object) }),
      ...over,
    },
    signal ?? new AbortController().signal,
  )
}

/** Of the list. */
export function formatCalled(name: string): ExportFormat {
  const format = EXPORT_FORMATS.find((one) => one.name === name)
  if (format === undefined) throw new Error(`no format ${name}`)
  return format
}

/** Paths of all files below a folder, relative, sorted. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort()
}

export async function readLines(file: string): Promise<unknown[]> {
  const text = await fs.readFile(file, 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown)
}

export async function readJson(...names: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await fs.readFile(path.join(...names), 'utf8')) as Record<string, unknown>
}
