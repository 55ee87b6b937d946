// Whole runs inside the process; what kills and damage do to them is in death.test.ts and accounting.test.ts.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { planDataset, runDataset } from '../../src/run/run.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { RunAttribute } from '../../src/store/attributes.ts'
import { findCommit } from '../../src/store/shards.ts'
import { recordingProgress } from '../helpers/fake-tools.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeToyDataset } from '../helpers/toy-dataset.ts'

const never = new AbortController().signal
const SLOW = { timeout: 120_000 }

async function makeRun() {
  const folder = await temporaryFolder()
  const sections = { run: { samplesPerShard: 10 } }
  const toy = await makeToyDataset(folder, { rows: 25, sections })
  return { config: await loadConfig(toy.config), file: toy.config, run: path.join(folder, 'run') }
}

describe('planDataset', () => {
  it('writes nothing', SLOW, async () => {
    const { config, run } = await makeRun()
    const { progress } = recordingProgress()

    const plan = await planDataset(config, run, { verifyInputs: false, progress, signal: never })

    expect(plan).toMatchObject({ isBegun: false, plan: { rows: 25 } })
    expect(plan.plan.shards.map(({ start, end }) => [start, end])).toEqual([
      [0, 10],
      [10, 20],
      [20, 25],
    ])
    await expect(fs.stat(run)).rejects.toThrow('ENOENT')
  })
})

describe('runDataset', () => {
  it('labels what is left, sweeps, and refuses the folder of another run', SLOW, async () => {
    const { config, file, run } = await makeRun()
    const first = recordingProgress()
    const summary = await runDataset(config, run, first.progress, never)

    expect(summary).toMatchObject({
      isComplete: true,
      rows: { total: 25, committed: 25 },
      reasons: { caption_empty: 3, file_missing: 2 },
    })
    expect(first.told).toMatchObject({ rows: 25, warnings: [] })

    const store = createPosixStore(run)
    const attribute = new RunAttribute(store, 'a')
    await attribute.write((await findCommit(store, 0))!, { columns: ['x'], values: [] })
    await attribute.write((await findCommit(store, 1))!, { columns: ['x'], values: [] })
    await fs.rm(path.join(run, 'attributes/a/00001.json'))
    const again = recordingProgress()
    expect((await runDataset(config, run, again.progress, never)).counts).toEqual(summary.counts)
    expect(again.told.notes).toEqual(['every shard is committed; nothing to do'])
    expect((await fs.readdir(path.join(run, 'attributes/a'))).sort()).toEqual([
      '00000.json',
      '00000.parquet',
    ])

    const before = await fs.readFile(path.join(run, 'shards/00001/groundings.parquet'))
    await fs.rm(path.join(run, 'shards/00001'), { recursive: true })
    const resumed = recordingProgress()
    expect((await runDataset(config, run, resumed.progress, never)).counts).toEqual(summary.counts)
    expect(resumed.told.notes).toContain('resuming: 2 of 3 shards are committed')
    const after = await fs.readFile(path.join(run, 'shards/00001/groundings.parquet'))
    expect(after.equals(before)).toBe(true)

    const other = await loadConfig(file, ['run.samplesPerShard=5'])
    const refused = runDataset(other, run, recordingProgress().progress, never)
    await expect(refused).rejects.toThrow(ConfigError)
    await expect(refused).rejects.toThrow(/config\.run\.samplesPerShard: the run has 10, now 5/)
  })

  it('needs a source', async () => {
    const { progress } = recordingProgress()

    await expect(runDataset(await loadConfig(undefined), 'none', progress, never)).rejects.toThrow(
      /source: missing/,
    )
  })
})
