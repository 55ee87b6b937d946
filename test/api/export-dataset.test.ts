import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { exportDataset } from '../../src/api/export-dataset.ts'
import { validateFiles } from '../../src/api/validate-files.ts'
import { parseConfig } from '../../src/config.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

async function setUp() {
  const folder = await temporaryFolder()
  const rows = [0.6, 0.8].map((score, row) =>
    makeRow({ row, boxes: [['two kites', score, 10, 20, 60, 80]] }),
  )
  const runDir = await makeRun(folder, { rows })
  return { runDir, to: path.join(folder, 'out') }
}
const images = { export: { images: 'none' } }

describe('exportDataset', () => {
  it('writes a format by its name, and validateFiles reads it', async () => {
    const { runDir, to } = await setUp()
    const config = parseConfig({ ...images, filter: { score: 0.7 } })

    const summary = await exportDataset({ runDir, to, format: 'coco', config })

    expect(summary.counts).toMatchObject({ rows: 2, samples: 1, regions: 1, categories: 1 })
    const text = await fs.readFile(path.join(to, 'annotations.json'), 'utf8')
    expect(JSON.parse(text)).toMatchObject({
      annotations: [{ bbox: [10, 20, 50, 60], score: 0.8 }],
    })
    expect(await validateFiles({ target: to, format: 'coco' })).toMatchObject({
      files: 1,
      records: 1,
      isUsable: true,
    })
  })

  it('takes a dialect, which validateFiles finds in the export', async () => {
    const { runDir, to } = await setUp()
    const config = parseConfig(images)

    await exportDataset({ runDir, to, format: 'odvg', dialect: 'tao', config })

    expect(await validateFiles({ target: to, format: 'odvg' })).toMatchObject({ dialect: 'tao' })
  })

  it('replaces an earlier export only if told to', async () => {
    const request = { ...(await setUp()), format: 'jsonl', config: parseConfig(images) }
    await exportDataset(request)

    await expect(exportDataset(request)).rejects.toThrow(request.to)
    expect(await exportDataset({ ...request, overwrite: true })).toMatchObject({
      counts: { samples: 2 },
    })
  })

  it('lists the formats and dialects there are', async () => {
    const request = await setUp()

    await expect(exportDataset({ ...request, format: 'yaml' })).rejects.toThrow(
      'format yaml is unknown; there are odvg, coco, goldg, jsonl',
    )
    await expect(exportDataset({ ...request, format: 'coco', dialect: 'tao' })).rejects.toThrow(
      'dialect tao is unknown; coco has no dialects',
    )
    await expect(validateFiles({ target: 'x', format: 'jsonl' })).rejects.toThrow(
      'format jsonl is unknown; there are odvg, coco',
    )
  })
})
