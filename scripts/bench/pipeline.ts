// `groundmill run` on the sample dataset beside the bare graph on the same images, prepared before: how
// much of the teacher's speed the pipeline keeps. Both sides run in this process, in turns, with the same
// model, threads and provider settings. What a run does before its first row (reading the model, opening
// the graph, planning) is reported apart and is not in the ratio; commits are.

import { execFile } from 'node:child_process'
import { setMaxListeners } from 'node:events'
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { loadConfig, type Config } from '../../src/config.ts'
import { tuneV8 } from '../../src/system/v8.ts'
import { median } from '../../src/core/quantile.ts'
import type { Phrase, SourceRow } from '../../src/core/types.ts'
import { createImageChecker } from '../../src/ingest/image/check.ts'
import { createImageLoader } from '../../src/ingest/image/load.ts'
import { openSource } from '../../src/ingest/source/source.ts'
import { createPhraseExtractor } from '../../src/nlp/extractor.ts'
import type { Progress } from '../../src/run/progress.ts'
import { runDataset } from '../../src/run/run.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { readCommits } from '../../src/store/shards.ts'
import {
  costOf,
  prepareBatches,
  runBatches,
  stageTimes,
  type Cost,
  type StageTimes,
} from '../../src/teacher/bench.ts'
import { openParts } from '../../src/teacher/open-teacher.ts'
import { inFolder } from '../program.ts'
import type { Benchmark } from './benchmark.ts'

const CONFIG = 'configs/demo.yaml'
const BUILT = 'dist/main.js'

interface PipelineCost extends Cost {
  /** From the call to the first row. */
  readonly startSeconds: number
  /** Share of the time from the first row to the last commit in which the graph ran. */
  readonly busyPercent: number
  /** Sums over rows or shards of the time they waited for a stage; stages overlap. */
  readonly waited: Readonly<Record<string, number>>
}

export interface PipelineResult {
  readonly model: string
  readonly provider: string
  readonly cores: number
  readonly rows: number
  readonly rounds: number
  readonly imagesPerSecond: { readonly graph: number; readonly pipeline: number }
  /** Pipeline over graph in images/s: median of the rounds, and each of them. */
  readonly ratio: number
  readonly ratios: readonly number[]
  readonly cpuMsPerImage: { readonly graph: number; readonly pipeline: number }
  /** Share of the pipeline's time in which the graph ran; the rest it waited for work. */
  readonly graphBusyPercent: number
  /** Alone, one image after another, ms per image; phrases in one batch. */
  readonly stageMs: StageTimes & { readonly phrases: number }
  /** Per shard; images to the tar, and all files of the shard encoded and synced. */
  readonly storeMs: number
  readonly commitMs: number
  /** Not in the ratio: from the call of a run to its first row, and a process that prints its version. */
  readonly runStartSeconds: number
  readonly processStartSeconds: number | null
}

export const benchmark: Benchmark<PipelineResult> = {
  options: {
    rounds: { type: 'string', default: '5' },
    limit: { type: 'string', default: '200' },
  },
  async run({ rounds, limit }) {
    tuneV8() // as the program does
    const config = await loadConfig(CONFIG, [`run.limit=${String(limit)}`])
    const signal = new AbortController().signal
    setMaxListeners(0, signal)
    const parts = await openParts(config, () => undefined)
    const { folder, runner, adapter } = parts
    const loader = createImageLoader(config, { input: adapter.input })
    const checker = createImageChecker(config.image)
    try {
      const { rows, phraseMs } = await phrasedRows(config, signal)
      const decode = async ({ caption, phrases, image }: PhrasedRow) => {
        const bytes = await loader.receive(image, signal, (received) => received.bytes)
        const { used: decoded } = await checker.check(bytes, signal, (image) => image)
        return { caption, phrases, decoded }
      }
      const samples = []
      for (const { caption, phrases, image } of rows) {
        const { input } = await loader.load({ image, caption }, signal)
        samples.push({ caption, phrases, input: input! })
      }
      const batches = prepareBatches(samples, parts)
      const runGraph = () => costOf(() => runBatches(parts, batches))

      await runGraph() // code that has not run yet is slower
      await pipelineCost(config, signal)
      const costs: { readonly graph: Cost; readonly pipeline: PipelineCost }[] = []
      for (let round = 0; round < Number(rounds); round++) {
        // The graph before and after, so that a change of the machine's load weighs on both sides.
        const before = await runGraph()
        const pipeline = await pipelineCost(config, signal)
        const after = await runGraph()
        const graph = {
          seconds: (before.seconds + after.seconds) / 2,
          cpuSeconds: (before.cpuSeconds + after.cpuSeconds) / 2,
        }
        costs.push({ graph, pipeline })
      }
      const stageMs = await stageTimes(parts, { images: rows, decode })
      const images = rows.length
      const shards = Math.ceil(Number(limit) / config.run.samplesPerShard)
      const ratios = costs.map(({ graph, pipeline }) => graph.seconds / pipeline.seconds)
      const of = (value: (cost: (typeof costs)[number]) => number) => median(costs.map(value))
      return {
        model: folder.description.id,
        provider: runner.provider,
        cores: availableParallelism(),
        rows: images,
        rounds: costs.length,
        imagesPerSecond: {
          graph: of(({ graph }) => images / graph.seconds),
          pipeline: of(({ pipeline }) => images / pipeline.seconds),
        },
        ratio: median(ratios),
        ratios,
        cpuMsPerImage: {
          graph: of(({ graph }) => (graph.cpuSeconds * 1000) / images),
          pipeline: of(({ pipeline }) => (pipeline.cpuSeconds * 1000) / images),
        },
        graphBusyPercent: of(({ pipeline }) => pipeline.busyPercent),
        stageMs: { phrases: phraseMs, ...stageMs },
        storeMs: of(({ pipeline }) => ((pipeline.waited['store'] ?? NaN) * 1000) / shards),
        commitMs: of(({ pipeline }) => ((pipeline.waited['commit'] ?? NaN) * 1000) / shards),
        runStartSeconds: of(({ pipeline }) => pipeline.startSeconds),
        processStartSeconds: await processStart(),
      }
    } finally {
      await Promise.all([runner.close(), adapter.close(), loader.close()])
    }
  },
  format: (result) => {
    const { imagesPerSecond, cpuMsPerImage, stageMs, ratios } = result
    const stages = Object.entries(stageMs).map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
    const start = result.processStartSeconds
    return [
      `${result.rows} images of the sample, ${result.model} on ${result.provider}, ${result.cores} cores`,
      `bare graph  ${imagesPerSecond.graph.toFixed(1)} images/s, ${cpuMsPerImage.graph.toFixed(1)} CPU ms per image`,
      `whole run   ${imagesPerSecond.pipeline.toFixed(1)} images/s, ${cpuMsPerImage.pipeline.toFixed(1)} CPU ms per image`,
      `ratio ${result.ratio.toFixed(3)}, median of ${ratios.map((ratio) => ratio.toFixed(3)).join(' ')}`,
      `the graph ran ${result.graphBusyPercent.toFixed(0)} % of the pipeline's time`,
      `ms per image, one stage after another: ${stages.join(', ')}`,
      `ms per shard: images stored ${result.storeMs.toFixed(1)}, files written ${result.commitMs.toFixed(1)}`,
      `not in the ratio: a run opens its model and plans in ${result.runStartSeconds.toFixed(1)} s; ` +
        (start === null ? 'no build to start' : `a process starts in ${start.toFixed(1)} s`),
    ].join('\n')
  },
}

interface PhrasedRow extends SourceRow {
  readonly phrases: readonly Phrase[]
}

/** The rows that reach the teacher, and ms per caption to find their phrases. */
async function phrasedRows(
  config: Config,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly PhrasedRow[]; readonly phraseMs: number }> {
  if (config.source === undefined) throw new Error(`${CONFIG} has no source`)
  const source = await openSource(config.source, signal)
  const extractor = createPhraseExtractor(config, { threads: 1 })
  try {
    const found: SourceRow[] = []
    for await (const shard of source.plan(config.run.samplesPerShard, signal)) {
      for await (const item of source.read(shard, signal)) if (!('code' in item)) found.push(item)
    }
    const rows = found.slice(0, config.run.limit)
    await extractor.extract(rows, signal)
    const startedAt = performance.now()
    const results = await extractor.extract(rows, signal)
    const phraseMs = (performance.now() - startedAt) / rows.length
    const phrased = rows.flatMap((row, index) => {
      const result = results[index]!
      return 'code' in result ? [] : [{ ...row, ...result }]
    })
    return { rows: phrased, phraseMs }
  } finally {
    await Promise.all([extractor.close(), source.close()])
  }
}

function pipelineCost(config: Config, signal: AbortSignal): Promise<PipelineCost> {
  return inFolder(async (dir) => {
    const startedAt = performance.now()
    const lap = () => ({ at: performance.now(), cpu: process.cpuUsage() })
    let [begin, end] = [lap(), lap()]
    let busyPercent = NaN
    const progress: Progress = {
      begin: () => {
        begin = lap()
      },
      advance: () => undefined,
      note: (_, fields) => {
        busyPercent = Number(fields?.['teacherBusyPercent'] ?? busyPercent)
      },
      warn: (message) => {
        throw new Error(message)
      },
      // Before the teacher closes.
      end: () => {
        end = lap()
      },
    }
    const summary = await runDataset(config, dir, progress, signal)
    if (!summary.isComplete) throw new Error('the run is not complete')
    const waited: Record<string, number> = {}
    for (const { stats } of await readCommits(createPosixStore(dir))) {
      for (const [stage, seconds] of Object.entries(stats.stageSeconds)) {
        waited[stage] = (waited[stage] ?? 0) + seconds
      }
    }
    return {
      startSeconds: (begin.at - startedAt) / 1000,
      seconds: (end.at - begin.at) / 1000,
      cpuSeconds: (end.cpu.user + end.cpu.system - begin.cpu.user - begin.cpu.system) / 1e6,
      busyPercent,
      waited,
    }
  })
}

/** Of the built program; null without a build. */
async function processStart(): Promise<number | null> {
  if (!(await stat(BUILT).catch(() => undefined))?.isFile()) return null
  const startedAt = performance.now()
  await promisify(execFile)(process.execPath, [BUILT, '--version'])
  return (performance.now() - startedAt) / 1000
}
