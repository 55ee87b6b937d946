// How fast a teacher is: the bare graph on inputs that were prepared before, and the whole teacher on
// images that are yet to be decoded, in turns, because machines have other things to do as well.

import { fitImage } from '../core/model-input.ts'
import { median, quantile } from '../core/quantile.ts'
import type { DecodedImage } from '../core/types.ts'
import type { Row } from './adapter.ts'
import { BatchedTeacher, createBatcher, type TeacherParts } from './batched-teacher.ts'
import type { TeacherSample } from './teacher.ts'

/** One forward of the graph. */
export type Batch = readonly Row<unknown>[]

/** A sample before its image was fitted. */
export type DecodedSample = Omit<TeacherSample, 'input'> & { readonly decoded: DecodedImage }

/** Wall clock and processor seconds, of all threads of the process. */
export interface Cost {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** ms per image, one after another on one thread; the graph with its own threads. */
export type StageTimes = Readonly<Record<Stage, number>>

const STAGES = ['decode', 'prompt', 'resize', 'feeds', 'graph', 'boxes'] as const
type Stage = (typeof STAGES)[number]

/** Speed of graph and teacher, and their ratio. */
export interface BenchResult {
  /** Per round; in each round both sides do the same ones. */
  readonly images: number
  readonly rounds: number
  readonly imagesPerSecond: { readonly graph: number; readonly teacher: number }
  /** Teacher over graph in images/s: median of the rounds, and the middle half of them. */
  readonly ratio: number
  readonly ratioQuartiles: readonly [number, number]
  readonly cpuMsPerImage: { readonly graph: number; readonly teacher: number }
  readonly stageMs: StageTimes
}

/** What is measured, and for how long. */
export interface BenchOptions<Image> {
  /** At least `IMAGES_PER_ROUND`. */
  readonly images: readonly Image[]
  readonly decode: (image: Image) => Promise<DecodedSample>
  /** Samples in order, decoded and fitted ahead of the consumer. */
  readonly stream: (images: readonly Image[]) => AsyncIterable<TeacherSample>
  /** Rounds go on until this much time has passed; there are at least three. */
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Few, so that both sides of a round see the same machine; enough that filling the pipeline is small. */
const IMAGES_PER_ROUND = 24
const MIN_ROUNDS = 3
/** Forwards in flight, so that the graph's thread never waits for a message. */
const IN_FLIGHT = 2

/** @throws the error of a sample that the teacher refuses; the signal's reason */
export async function benchTeacher<Image>(
  parts: TeacherParts,
  { images, decode, stream, seconds, signal }: BenchOptions<Image>,
): Promise<BenchResult> {
  const teacher = new BatchedTeacher(parts)
  const whole = async (some: readonly Image[]) => {
    for await (const grounding of teacher.groundShard(stream(some), signal)) {
      if ('error' in grounding) throw grounding.error
    }
  }
  const parties: { readonly images: readonly Image[]; readonly batches: readonly Batch[] }[] = []
  for (let from = 0; from + IMAGES_PER_ROUND <= images.length; from += IMAGES_PER_ROUND) {
    const some = images.slice(from, from + IMAGES_PER_ROUND)
    const samples: TeacherSample[] = []
    for await (const sample of stream(some)) samples.push(sample)
    parties.push({ images: some, batches: prepareBatches(samples, parts) })
  }
  for (const party of parties) await whole(party.images) // code that has not run yet is slower
  const stageMs = await stageTimes(parts, { images, decode })
  const costs: { readonly graph: Cost; readonly teacher: Cost }[] = []
  const startedAt = performance.now()
  while (costs.length < MIN_ROUNDS || performance.now() - startedAt < seconds * 1000) {
    signal.throwIfAborted()
    const party = parties[costs.length % parties.length]!
    const runGraph = () => costOf(() => runBatches(parts, party.batches))
    const runTeacher = () => costOf(() => whole(party.images))
    // Who begins takes turns, too.
    if (costs.length % 2 === 0) costs.push({ graph: await runGraph(), teacher: await runTeacher() })
    else costs.push({ teacher: await runTeacher(), graph: await runGraph() })
  }
  const rate = (side: 'graph' | 'teacher') =>
    median(costs.map((cost) => IMAGES_PER_ROUND / cost[side].seconds))
  const cpuMs = (side: 'graph' | 'teacher') =>
    median(costs.map((cost) => (cost[side].cpuSeconds * 1000) / IMAGES_PER_ROUND))
  const ratios = costs.map((cost) => cost.graph.seconds / cost.teacher.seconds)
  return {
    images: IMAGES_PER_ROUND,
    rounds: ratios.length,
    imagesPerSecond: { graph: rate('graph'), teacher: rate('teacher') },
    ratio: median(ratios),
    ratioQuartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    cpuMsPerImage: { graph: cpuMs('graph'), teacher: cpuMs('teacher') },
    stageMs,
  }
}

/** The batches that a teacher forms of these samples, ready for the graph. */
export function prepareBatches(
  samples: readonly TeacherSample[],
  { adapter, batchSize }: Pick<TeacherParts, 'adapter' | 'batchSize'>,
): Batch[] {
  const batcher = createBatcher<Row<unknown>>(batchSize)
  const ready = samples.flatMap((sample) => {
    const { input } = sample
    const rows = adapter.promptsOf(sample).prompts.map((prompt) => ({ prompt, input }))
    return batcher.add(adapter.batchKeyOf(input), rows)
  })
  return [...ready, ...batcher.flush()]
}

/** Runs the graph on each batch, without a look at what comes out. */
export async function runBatches(
  { adapter, runner }: Pick<TeacherParts, 'adapter' | 'runner'>,
  batches: readonly Batch[],
): Promise<void> {
  let next = 0
  const work = async () => {
    for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
      await runner.run(adapter.feedsOf(batch))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, work))
}

/** Runs the work once. */
export async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

/** Each stage alone, one image after another; boxes with the way to their thread and back. */
export async function stageTimes<Image>(
  { runner, adapter }: Pick<TeacherParts, 'runner' | 'adapter'>,
  { images, decode }: Pick<BenchOptions<Image>, 'images' | 'decode'>,
): Promise<StageTimes> {
  const sums = { decode: 0, prompt: 0, resize: 0, feeds: 0, graph: 0, boxes: 0 }
  let last = 0
  const lap = (stage: Stage) => {
    const now = performance.now()
    sums[stage] += now - last
    last = now
  }
  for (const image of images) {
    last = performance.now()
    const { decoded, ...asked } = await decode(image)
    lap('decode')
    const input = fitImage(decoded, adapter.input)
    lap('resize')
    const { prompts } = adapter.promptsOf({ ...asked, input })
    lap('prompt')
    for (const prompt of prompts) {
      const rows = [{ prompt, input }]
      const feeds = adapter.feedsOf(rows)
      lap('feeds')
      const { outputs } = await runner.run(feeds)
      lap('graph')
      await adapter.candidatesOf(outputs, rows)
      lap('boxes')
    }
  }
  for (const stage of STAGES) sums[stage] /= images.length
  return sums
}
