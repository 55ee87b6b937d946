// Which resize: Pillow's bilinear reproduced to the bit (what the reference and the Python code use), or
// sharp's kernels, which are other filters. Measured by what comes out of the teacher on the sample, and by
// time at the size of the sample and of photographs.

import { setMaxListeners } from 'node:events'
import sharp from 'sharp'
import { loadConfig } from '../../src/config.ts'
import { boxIou } from '../../src/core/box.ts'
import { fittedSizes } from '../../src/core/model-input.ts'
import { prepareImage, type FittedSizes } from '../../src/core/resize.ts'
import { median, quantile } from '../../src/core/quantile.ts'
import type { Candidate, DecodedImage } from '../../src/core/types.ts'
import { createImageChecker } from '../../src/ingest/image/check.ts'
import { openParts } from '../../src/teacher/open-teacher.ts'
import { readSample } from '../../src/commands/teacher-sample.ts'
import type { Benchmark } from './benchmark.ts'

type Resize = (image: DecodedImage, sizes: FittedSizes) => Promise<Uint8Array> | Uint8Array

const KERNELS = ['linear', 'cubic', 'lanczos3'] as const

/** sharp's resize of decoded pixels; the padding is black, as ours. */
const withSharp =
  (kernel: (typeof KERNELS)[number]): Resize =>
  ({ data, width, height }, { resized, padded }) =>
    sharp(data, { raw: { width, height, channels: 3 } })
      .resize(resized.width, resized.height, { fit: 'fill', kernel })
      .extend({
        right: padded.width - resized.width,
        bottom: padded.height - resized.height,
        background: 'black',
      })
      .raw()
      .toBuffer()

const WAYS: Readonly<Record<string, Resize>> = {
  'Pillow bilinear, exact': prepareImage,
  ...Object.fromEntries(KERNELS.map((kernel) => [`sharp ${kernel}`, withSharp(kernel)])),
}
const EXACT = 'Pillow bilinear, exact'

/** Photographs to GLIP-T's size, and the sample's to glip-nano's. */
const SIZES = [
  { width: 300, height: 230, shortSide: 192, longSide: 320 },
  { width: 640, height: 480, shortSide: 800, longSide: 1333 },
  { width: 1600, height: 1200, shortSide: 800, longSide: 1333 },
  { width: 4000, height: 3000, shortSide: 800, longSide: 1333 },
]
const TIME_ROUNDS = 15

export interface WayResult {
  readonly name: string
  /** Against the exact resize; grey levels of 255. */
  readonly pixelMean: number
  readonly pixelMax: number
  /** Boxes above the default score that the exact resize gives, and how many are there with IoU >= 0.9. */
  readonly boxes: number
  readonly found: number
  /** Of those found: 90 % of the differences are below. */
  readonly score90: number
  readonly box90Px: number
  /** Processor ms per image, per size. */
  readonly cpuMs: readonly number[]
}

export const benchmark: Benchmark<{
  readonly images: number
  readonly ways: readonly WayResult[]
}> = {
  options: { limit: { type: 'string', default: '100' } },
  async run({ limit }) {
    const config = await loadConfig(undefined, [])
    const signal = new AbortController().signal
    setMaxListeners(0, signal)
    const parts = await openParts(config, () => undefined)
    const { folder, runner, adapter } = parts
    const { defaultScore } = folder.description
    const checker = createImageChecker(config.image)
    sharp.concurrency(1)
    const samples = await readSample(Number(limit))
    const names = Object.keys(WAYS)
    const sums = new Map(names.map((name) => [name, newSum()]))
    try {
      for (const { bytes, caption, phrases } of samples) {
        const { used: decoded } = await checker.check(bytes, signal, (image) => image)
        const sizes = fittedSizes(decoded, adapter.input)
        let exact: { readonly pixels: Uint8Array; readonly boxes: readonly Candidate[] } | undefined
        for (const name of names) {
          const pixels = await WAYS[name]!(decoded, sizes)
          const input = { data: pixels, original: decoded, ...sizes }
          const [prompt] = adapter.promptsOf({ caption, phrases, input }).prompts
          if (prompt === undefined) continue
          const rows = [{ prompt, input }]
          const { outputs } = await runner.run(adapter.feedsOf(rows))
          const boxes = (await adapter.candidatesOf(outputs, rows))[0]!
          exact ??= { pixels, boxes: boxes.filter(({ score }) => score > defaultScore) }
          compare(sums.get(name)!, exact, { pixels, boxes })
        }
      }
    } finally {
      await Promise.all([runner.close(), adapter.close()])
    }
    const times = await timesOf(names)
    const ways = names.map((name) => {
      const { pixels, boxes, found, scores, distances } = sums.get(name)!
      return {
        name,
        pixelMean: pixels.sum / pixels.count,
        pixelMax: pixels.max,
        boxes,
        found,
        score90: quantile(scores, 0.9),
        box90Px: quantile(distances, 0.9),
        cpuMs: times.get(name)!,
      }
    })
    return { images: samples.length, ways }
  },
  format: ({ images, ways }) => {
    const head = SIZES.map(({ width, height, shortSide }) => `${width}x${height}>${shortSide}`)
    return [
      `${images} images of the sample, glip-nano; differences from "${EXACT}"`,
      `${''.padEnd(24)}pixel mean  max  boxes found  score 90 %  box 90 %   CPU ms at ${head.join(', ')}`,
      ...ways.map(
        ({ name, pixelMean, pixelMax, boxes, found, score90, box90Px, cpuMs }) =>
          `${name.padEnd(24)}${pixelMean.toFixed(2).padStart(10)} ${String(pixelMax).padStart(4)} ` +
          `${`${found}/${boxes}`.padStart(12)} ${score90.toFixed(4).padStart(11)} ` +
          `${`${box90Px.toFixed(2)} px`.padStart(9)}   ${cpuMs.map((ms) => ms.toFixed(1)).join(', ')}`,
      ),
    ].join('\n')
  },
}

function newSum() {
  return {
    pixels: { sum: 0, count: 0, max: 0 },
    boxes: 0,
    found: 0,
    scores: [] as number[],
    distances: [] as number[],
  }
}

interface Looked {
  readonly pixels: Uint8Array
  readonly boxes: readonly Candidate[]
}

function compare(sum: ReturnType<typeof newSum>, exact: Looked, other: Looked): void {
  exact.pixels.forEach((value, i) => {
    const difference = Math.abs(value - other.pixels[i]!)
    sum.pixels.sum += difference
    sum.pixels.max = Math.max(sum.pixels.max, difference)
  })
  sum.pixels.count += exact.pixels.length
  for (const wanted of exact.boxes) {
    sum.boxes++
    const match = other.boxes.find(
      (candidate) => candidate.phrase === wanted.phrase && boxIou(candidate.box, wanted.box) >= 0.9,
    )
    if (match === undefined) continue
    sum.found++
    sum.scores.push(Math.abs(match.score - wanted.score))
    const sides = ['x1', 'y1', 'x2', 'y2'] as const
    sum.distances.push(
      Math.max(...sides.map((side) => Math.abs(match.box[side] - wanted.box[side]))),
    )
  }
}

/** Median processor time per size, each way in turn. */
async function timesOf(names: readonly string[]): Promise<Map<string, number[]>> {
  const times = new Map(names.map((name): [string, number[]] => [name, []]))
  for (const { width, height, shortSide, longSide } of SIZES) {
    const data = new Uint8Array(width * height * 3).map((_, i) => (i * 2654435761) >>> 24)
    const image = { data, width, height }
    const input = { kind: 'short-side', shortSide, longSide, padMultiple: 32 } as const
    const sizes = fittedSizes(image, input)
    const rounds = new Map(names.map((name): [string, number[]] => [name, []]))
    for (let round = 0; round < TIME_ROUNDS; round++) {
      for (const name of names) {
        const cpu = process.cpuUsage()
        await WAYS[name]!(image, sizes)
        const { user, system } = process.cpuUsage(cpu)
        rounds.get(name)!.push((user + system) / 1000)
      }
    }
    for (const name of names) times.get(name)!.push(median(rounds.get(name)!))
  }
  return times
}
