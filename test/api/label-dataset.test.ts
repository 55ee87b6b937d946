import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { labelDataset, type ProgressEvent } from '../../src/api/label-dataset.ts'
import { loadConfig } from '../../src/config.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeToyDataset } from '../helpers/toy-dataset.ts'

async function toyRun(rows: number) {
  const folder = await temporaryFolder()
  const sections = { run: { samplesPerShard: 4, shardsInFlight: 1 } }
  const { config } = await makeToyDataset(path.join(folder, 'data'), { rows, sections })
  return { config: await loadConfig(config), runDir: path.join(folder, 'run') }
}

describe('labelDataset', () => {
  it('tells how it goes and gives the totals', async () => {
    const { config, runDir } = await toyRun(10)
    const events: ProgressEvent[] = []

    const summary = await labelDataset(config, runDir, {
      onProgress: (event) => events.push(event),
    })

    expect(summary).toMatchObject({
      isComplete: true,
      rows: { total: 10, committed: 10 },
      counts: { groundings: 8, rejects: 2 },
      reasons: { caption_empty: 1, file_missing: 1 },
    })
    const rows = events.filter((event) => event.kind === 'rows')
    expect(rows.map(({ done }) => done)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(rows.every(({ total }) => total === 10)).toBe(true)
    expect(events).toContainEqual({ kind: 'note', message: 'planning shards' })
  })

  it('stops in good order when asked to, and goes on with the next call', async () => {
    const { config, runDir } = await toyRun(12)
    const stop = new AbortController()
    const onProgress = (event: ProgressEvent) => {
      if (event.kind === 'rows' && event.done === 5) stop.abort(new Error('enough'))
    }

    await expect(labelDataset(config, runDir, { onProgress, signal: stop.signal })).rejects.toThrow(
      'enough',
    )
    const first: ProgressEvent[] = []
    const summary = await labelDataset(config, runDir, {
      onProgress: (event) => first.push(event),
    })

    expect(summary.isComplete).toBe(true)
    const begun = first.find((event) => event.kind === 'rows')
    expect(begun).toMatchObject({ total: 12 })
    expect(begun?.kind === 'rows' && begun.done).toBeGreaterThanOrEqual(4) // the first shard's
  })

  it('refuses a folder of another run before any work', async () => {
    const { config, runDir } = await toyRun(4)
    await labelDataset(config, runDir)
    const other = { ...config, caption: { ...config.caption, minWords: 5 } }

    await expect(labelDataset(other, runDir)).rejects.toThrow(
      /caption\.minWords: the run has 3, now 5/,
    )
  })
})
