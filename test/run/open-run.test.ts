import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, type Config } from '../../src/config.ts'
import { ConfigError, InputError } from '../../src/core/errors.ts'
import type { Shard } from '../../src/core/types.ts'
import type { CaptionSource } from '../../src/ingest/source/source.ts'
import { identifyRun } from '../../src/run/identity.ts'
import { beginRun, findRun, planShards } from '../../src/run/open-run.ts'
import { createProgress } from '../../src/run/progress.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { readPlan } from '../../src/store/run-manifest.ts'
import { VERSION } from '../../src/version.ts'
import { collector } from '../helpers/collector.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TOY } from '../teacher/toy.ts'

const { signal } = new AbortController()
const options = {
  verifyInputs: false,
  progress: createProgress(collector().stream, 'json'),
  signal,
}

/** A dataset of so many rows that only says how it would be cut. */
function sourceOf(rows: number, seen: Shard[] = []): CaptionSource {
  return {
    identity: { type: 'jsonl', files: [] },
    plan: async function* (size) {
      for (let id = 0; id * size < rows; id++) {
        const shard = { id, start: id * size, end: Math.min((id + 1) * size, rows), cursor: id }
        seen.push(shard)
        yield shard
      }
    },
    read: () => {
      throw new Error('not read here')
    },
    close: async () => undefined,
  }
}

function configOf(...settings: string[]): Promise<Config> {
  return loadConfig(undefined, [`teacher.model=${TOY}`, 'run.samplesPerShard=4', ...settings])
}

describe('planShards', () => {
  it('takes all shards of the source', async () => {
    const plan = await planShards(await configOf(), sourceOf(10), signal)

    expect(plan.rows).toBe(10)
    expect(plan.shards.map(({ start, end }) => [start, end])).toEqual([
      [0, 4],
      [4, 8],
      [8, 10],
    ])
  })

  it.each([
    [6, [4, 6]],
    [8, [4, 8]],
    [1, [1]],
    [99, [4, 8, 10]],
  ])('cuts at a limit of %i rows and looks no further', async (limit, ends) => {
    const seen: Shard[] = []
    const plan = await planShards(await configOf(`run.limit=${limit}`), sourceOf(10, seen), signal)

    expect(plan.shards.map(({ end }) => end)).toEqual(ends)
    expect(plan.rows).toBe(ends.at(-1))
    expect(seen).toHaveLength(ends.length)
  })

  it('refuses a source without rows', async () => {
    await expect(planShards(await configOf(), sourceOf(0), signal)).rejects.toThrow(InputError)
  })
})

describe('a run folder', () => {
  async function begin(runDir: string, ...settings: string[]) {
    const config = await configOf(...settings)
    const run = await identifyRun(config, sourceOf(10))
    return beginRun(createPosixStore(runDir), run, await planShards(config, sourceOf(10), signal))
  }

  it('holds no run, then the one that was begun', async () => {
    const runDir = await temporaryFolder()
    const run = await identifyRun(await configOf(), sourceOf(10))

    expect(await findRun(createPosixStore(runDir), run, options)).toBeUndefined()
    const manifest = await begin(runDir)

    expect(manifest).toMatchObject({
      runId: run.runId,
      identity: run.identity,
      plan: { shards: 3, rows: 10 },
      config: { run: { samplesPerShard: 4 } },
      versions: { groundmill: VERSION },
    })
    expect(await findRun(createPosixStore(runDir), run, options)).toEqual(manifest)
    expect(await readPlan(createPosixStore(runDir), run.runId)).toHaveLength(3)
  })

  it('stays as another process has begun it, if that is the same run', async () => {
    const runDir = await temporaryFolder()
    const first = await begin(runDir)
    // As a version would have begun it that knew one option less.
    const { dropEmoji: _, ...caption } = (await configOf()).caption
    await fs.writeFile(
      path.join(runDir, 'run.json'),
      JSON.stringify({ ...first, config: { ...(first.config as object), caption } }),
    )

    const second = await begin(runDir, 'run.shardsInFlight=7')

    expect(second.runId).toBe(first.runId)
    expect(second.config).toMatchObject({ caption, run: { shardsInFlight: 2 } })
    expect(second.config).not.toHaveProperty('caption.dropEmoji')
  })

  it('is refused to another run, begun at the same time or before', async () => {
    const runDir = await temporaryFolder()
    await begin(runDir)
    const other = await identifyRun(await configOf('prompt.maxTokens=99'), sourceOf(10))

    await expect(begin(runDir, 'prompt.maxTokens=99')).rejects.toThrow(ConfigError)
    await expect(findRun(createPosixStore(runDir), other, options)).rejects.toThrow(
      'config.prompt.maxTokens: the run has 256, now 99',
    )
  })
})
