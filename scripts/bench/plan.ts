// Planning a Parquet file of ten million rows: time and memory of `run --dry-run`, beside those of the
// same command on a file of ten thousand rows.

import { rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileWriter, parquetWriteRows } from 'hyparquet-writer'
import { buildProgram, costOf, formatCost, inFolder, runProgram, type Cost } from '../program.ts'
import type { Benchmark } from './benchmark.ts'

const SMALL = 10_000
const ROWS_PER_GROUP = 100_000

interface Planned extends Cost {
  readonly rows: number
  readonly fileMb: number
}

export const benchmark: Benchmark<readonly Planned[]> = {
  options: { rows: { type: 'string', default: '10000000' } },
  run: (options) =>
    inFolder(async (folder) => {
      buildProgram()
      const planned: Planned[] = []
      for (const rows of [SMALL, Number(options['rows'])]) planned.push(await plan(folder, rows))
      return planned
    }),
  format: (planned) =>
    planned
      .map(
        ({ rows, fileMb, ...cost }) =>
          `${rows} rows (${fileMb.toFixed(0)} MB): planned in ${formatCost(cost)}`,
      )
      .join('\n'),
}

async function plan(folder: string, rows: number): Promise<Planned> {
  const file = path.join(folder, `${rows}.parquet`)
  // Rows are pulled one group at a time, so this process stays small too.
  await parquetWriteRows({
    writer: fileWriter(file),
    rows: captions(rows),
    columns: [
      { name: 'url', type: 'STRING' },
      { name: 'caption', type: 'STRING' },
    ],
    rowGroupSize: ROWS_PER_GROUP,
  })
  const config = path.join(folder, 'config.yaml')
  await writeFile(config, JSON.stringify({ source: { files: file } }))
  const ended = await runProgram(['run', config, '--dry-run', '--json'])
  const found = (JSON.parse(ended.stdout) as { readonly plan: { readonly rows: number } }).plan.rows
  if (found !== rows) throw new Error(`${found} rows were planned, not ${rows}`)
  const { size } = await stat(file)
  await rm(file)
  return { rows, fileMb: size / 1e6, ...costOf(ended) }
}

function* captions(count: number) {
  for (let row = 0; row < count; row++) {
    yield {
      url: `https://images-${row % 997}.example.org/photo/${row}.jpg`,
      caption: `a photograph of ${row % 13} brown dogs near bench number ${row}`,
    }
  }
}
