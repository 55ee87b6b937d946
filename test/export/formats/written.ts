// What a format writes for a few rows, as text.

import fs from 'node:fs/promises'
import path from 'node:path'
import type { GroundingRow } from '../../../src/core/types.ts'
import { exportTo, filesOf, type ExportSpec } from '../../helpers/exports.ts'
import { makeRun } from '../../helpers/runs.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

/** @returns the text of every file but the record, by name; two rows per shard */
export async function written(
  rows: readonly GroundingRow[],
  spec: ExportSpec,
): Promise<Record<string, string>> {
  const folder = await temporaryFolder()
  const to = path.join(folder, 'to')
  await exportTo(await makeRun(folder, { rows, samplesPerShard: 2 }), to, spec)
  const names = (await filesOf(to)).filter((name) => name !== 'export.json')
  const texts = names.map(async (name) => [name, await fs.readFile(path.join(to, name), 'utf8')])
  return Object.fromEntries(await Promise.all(texts)) as Record<string, string>
}
