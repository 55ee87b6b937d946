// How fast a teacher is: the bare graph on inputs that were prepared before, and the whole teacher on
// images that are yet to be decoded, in turns, because machines have other things to do as well.

import { fitImage } from '../core/model-input.ts'
import { median, quantile } from '../core/quantile.ts'
import type { DecodedImage } from '../core/types.ts'
import { Batcher } from './batcher.ts'
import type { BoxThreads } from './glip/box-threads.ts'
import { feedsOf, outputsOf, type GraphRow } from './glip/glip-graph.ts'
import { GlipTeacher, WINDOW_BATCHES, type GlipSettings } from './glip/glip-teacher.ts'
import { detect, toImage } from './glip/postprocess.ts'
import { buildPrompts } from './glip/prompts.ts'
import type { ModelFolder } from './model-folder.ts'
import type { OnnxSession } from './onnx-session.ts'
import type { TeacherSample } from './teacher.ts'

/** One forward of the graph. */
export type GraphBatch = readonly GraphRow[]

/** A sample before its image was fitted. */
export type DecodedSample = Omit<TeacherSample, 'input'> & { readonly decoded: DecodedImage }

/** What a bench needs of an open teacher. */
export interface BenchParts {
  readonly folder: ModelFolder
  readonly session: OnnxSession
  readonly boxes: BoxThreads
  readonly settings: GlipSettings
}

/** Wall clock and processor seconds, of all threads of the process. */
export interface Cost {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** ms per image, one after another on one thread; the graph with its own threads. */
export type StageTimes = Readonly<
  Record<'decode' | 'prompt' | 'resize' | 'feeds' | 'graph' | 'boxes', number>
>

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

export async function benchTeacher<Image>(
  parts: BenchParts,
  { images, decode, stream, seconds, signal }: BenchOptions<Image>,
): Promise<BenchResult> {
  const { folder, session, boxes, settings } = parts
  const teacher = new GlipTeacher({ folder, session, boxes }, settings)
  const whole = async (some: readonly Image[]) => {
    for await (const grounding of teacher.groundShard(stream(some), signal)) {
      if ('error' in grounding) throw grounding.error
    }
  }
  const parties: { readonly images: readonly Image[]; readonly batches: readonly GraphBatch[] }[] =
    []
  for (let from = 0; from + IMAGES_PER_ROUND <= images.length; from += IMAGES_PER_ROUND) {
    const some = images.slice(from, from + IMAGES_PER_ROUND)
    const samples: TeacherSample[] = []
    for await (const sample of stream(some)) samples.push(sample)
    parties.push({ images: some, batches: prepareBatches(samples, folder, settings) })
  }
  for (const party of parties) await whole(party.images) // code that has not run yet is slower
  const stageMs = await stageTimes(parts, images, decode)
  const costs: { readonly graph: Cost; readonly teacher: Cost }[] = []
  const startedAt = performance.now()
  while (costs.length < MIN_ROUNDS || performance.now() - startedAt < seconds * 1000) {
    signal.throwIfAborted()
    const party = parties[costs.length % parties.length]!
    const runGraph = () => costOf(() => runBatches(session, party.batches, folder))
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
  { tokenizer }: Pick<ModelFolder, 'tokenizer'>,
  { prompt, maxTokens, batchSize }: GlipSettings,
): GraphBatch[] {
  const window = batchSize === 1 ? 0 : WINDOW_BATCHES * batchSize
  const batcher = new Batcher<GraphRow>(batchSize, window)
  const ready = samples.flatMap(({ caption, phrases, input }) => {
    const { prompts } = buildPrompts(caption, phrases, tokenizer, prompt, maxTokens)
    const rows = prompts.map((each) => ({ prompt: each, input }))
    return batcher.add(`${input.padded.width}x${input.padded.height}`, rows)
  })
  return [...ready, ...batcher.flush()]
}

/** Runs the graph on each batch, without a look at what comes out. */
export async function runBatches(
  session: OnnxSession,
  batches: readonly GraphBatch[],
  { tokenizer, description }: Pick<ModelFolder, 'tokenizer' | 'description'>,
): Promise<void> {
  let next = 0
  const work = async () => {
    for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
      await session.run(feedsOf(batch, tokenizer.padId, description))
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

/** Each stage alone, one image after another. */
export async function stageTimes<Image>(
  { folder, session, settings }: BenchParts,
  images: readonly Image[],
  decode: (image: Image) => Promise<DecodedSample>,
): Promise<StageTimes> {
  const { tokenizer, description } = folder
  const sums = { decode: 0, prompt: 0, resize: 0, feeds: 0, graph: 0, boxes: 0 }
  let last = 0
  const lap = (stage: keyof typeof sums) => {
    const now = performance.now()
    sums[stage] += now - last
    last = now
  }
  for (const image of images) {
    last = performance.now()
    const { caption, phrases, decoded } = await decode(image)
    lap('decode')
    const { prompts } = buildPrompts(
      caption,
      phrases,
      tokenizer,
      settings.prompt,
      settings.maxTokens,
    )
    lap('prompt')
    const fitted = fitImage(decoded, settings.input)
    lap('resize')
    for (const prompt of prompts) {
      const feeds = feedsOf([{ prompt, input: fitted }], tokenizer.padId, description)
      lap('feeds')
      const { outputs } = await session.run(feeds)
      lap('graph')
      const detections = detect(
        outputsOf(outputs, 0, description),
        fitted.padded,
        fitted.resized,
        settings.detect,
      )
      toImage(
        detections,
        fitted.resized,
        fitted.original,
        prompt.phrases.map(({ phrase }) => phrase),
      )
      lap('boxes')
    }
  }
  const perImage = (sum: number) => sum / images.length
  return {
    decode: perImage(sums.decode),
    prompt: perImage(sums.prompt),
    resize: perImage(sums.resize),
    feeds: perImage(sums.feeds),
    graph: perImage(sums.graph),
    boxes: perImage(sums.boxes),
  }
}
