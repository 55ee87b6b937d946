import { describe, expect, it } from 'vitest'
import { filterGroundings, readGroundings, readRejects } from '../../src/api/read-run.ts'
import { parseConfig } from '../../src/config.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const RELEASED = 'test/fixtures/runs/0.1.0/run'

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('a run folder', () => {
  it('gives its rows in order, through all shards', async () => {
    const rows = [0, 1, 2].map((row) => makeRow({ row, boxes: [['two kites', 0.8, 0, 0, 50, 50]] }))
    const runDir = await makeRun(await temporaryFolder(), { rows, samplesPerShard: 2 })

    const read = await listOf(readGroundings(runDir))

    expect(read.map(({ key, row }) => [key, row])).toEqual([
      ['0000000000', 0],
      ['0000000001', 1],
      ['0000100000', 2],
    ])
    expect(read[2]!.candidates).toEqual(rows[2]!.candidates)
  })

  it('gives what was lost, with the reason', async () => {
    expect(await listOf(readRejects(RELEASED))).toMatchObject([
      { row: 2, stage: 'caption', code: 'caption_empty' },
      { row: 5, stage: 'fetch', code: 'file_missing' },
    ])
  })

  it('is filtered by a config as often as asked', async () => {
    const rows = [
      makeRow({ row: 0, boxes: [['two kites', 0.8, 0, 0, 50, 50]] }),
      makeRow({ row: 1, boxes: [['two kites', 0.6, 0, 0, 50, 50]] }),
    ]
    const runDir = await makeRun(await temporaryFolder(), { rows })
    const keptAt = async (score: number) => {
      const filtered = await filterGroundings(runDir, parseConfig({ filter: { score } }))
      const samples = await listOf(filtered.samples())
      return [samples.map(({ row }) => row.row), filtered.counts().regions]
    }

    expect(await keptAt(0.5)).toEqual([[0, 1], 2])
    expect(await keptAt(0.7)).toEqual([[0], 1])
  })

  it('is filtered at the score of its teacher if the config has none', async () => {
    const boxes = [0.45, 0.55].map(
      (score, index) => ['two kites', score, 100 * index, 0, 100 * index + 50, 50] as const,
    )
    const runDir = await makeRun(await temporaryFolder(), { rows: [makeRow({ boxes })] })

    const filtered = await filterGroundings(runDir, parseConfig({}))

    expect((await listOf(filtered.samples())).map(({ regions }) => regions.length)).toEqual([1])
  })

  it('that is none is refused by name', async () => {
    const folder = await temporaryFolder()

    await expect(filterGroundings(folder, parseConfig({}))).rejects.toThrow(folder)
  })
})
