// Peak memory of runs that differ in their number of rows alone, with the toy teacher and small pictures.
// Two series: one row in a hundred reaches the teacher (its other captions are empty), or every row does.

import path from 'node:path'
import { makeToyDataset } from '../../test/helpers/toy-dataset.ts'
import { buildProgram, costOf, formatCost, inFolder, runProgram, type Cost } from '../program.ts'
import type { Benchmark } from './benchmark.ts'

interface Measured extends Cost {
  readonly rows: number
  readonly labelledOf100: number
}

/** Few, so that the shortest run too has as many shards in flight as the others. */
const ROWS_PER_SHARD = 100

const SERIES = [
  { labelledOf100: 1, rows: [1_000, 10_000, 100_000] },
  { labelledOf100: 100, rows: [1_000, 10_000, 100_000] },
]

export const benchmark: Benchmark<readonly Measured[]> = {
  options: { 'max-rows': { type: 'string', default: '100000' } },
  run: (options) =>
    inFolder(async (folder) => {
      buildProgram()
      const results: Measured[] = []
      for (const { labelledOf100, rows: counts } of SERIES) {
        for (const rows of counts.filter((count) => count <= Number(options['max-rows']))) {
          const where = path.join(folder, `${labelledOf100}-${rows}`)
          const { config } = await makeToyDataset(where, {
            rows,
            sections: { run: { samplesPerShard: ROWS_PER_SHARD } },
            isEmpty: (row) => row % 100 >= labelledOf100,
          })
          const argv = ['run', config, '--out', path.join(where, 'run'), '--log', 'json', '--json']
          const ended = await runProgram(argv)
          const { counts: found } = JSON.parse(ended.stdout) as { counts: { groundings: number } }
          if (found.groundings !== (rows * labelledOf100) / 100) {
            throw new Error(`${found.groundings} of ${rows} rows were labelled`)
          }
          results.push({ rows, labelledOf100, ...costOf(ended) })
        }
      }
      return results
    }),
  format: (results) =>
    results
      .map(({ rows, labelledOf100, ...cost }) => {
        const labelled = `${labelledOf100} in 100 labelled`
        return `${String(rows).padStart(7)} rows, ${labelled}: ${formatCost(cost)}`
      })
      .join('\n'),
}
