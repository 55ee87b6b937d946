import fs from 'node:fs/promises'
import path from 'node:path'
import { exportRun, type ExportRequest, type ExportSummary } from '../../src/export/export-run.ts'
import { exportOptionsSchema } from '../../src/export/options.ts'
import { balanceOptionsSchema, filterOptionsSchema } from '../../src/filter/options.ts'

export interface ExportSpec extends Partial<
  Pick<ExportRequest, 'format' | 'dialect' | 'overwrite'>
> {
  readonly filter?: Parameters<typeof filterOptionsSchema.parse>[0]
  readonly balance?: Parameters<typeof balanceOptionsSchema.parse>[0]
  readonly options?: Parameters<typeof exportOptionsSchema.parse>[0]
  readonly signal?: AbortSignal
}

/** Annotations alone (images: none) unless `options` says otherwise. */
export function exportTo(
  runDir: string,
  to: string,
  spec: ExportSpec = {},
): Promise<ExportSummary> {
  const { filter = {}, balance = {}, options = {}, signal, ...over } = spec
  return exportRun(
    {
      runDir,
      to,
      overwrite: false,
      format: 'odvg',
      dialect: 'mmdet',
      filter: filterOptionsSchema.parse(filter),
      balance: balanceOptionsSchema.parse(balance),
      options: exportOptionsSchema.parse({ images: 'none', ...(options as object) }),
      ...over,
    },
    signal ?? new AbortController().signal,
  )
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
