// Boxes from the outputs of a GLIP-T sized graph: 1344x800 px give 22,400 positions, here with 8 phrases.
// The numbers are made up; what matters is how many candidates there are and how much they overlap.

import { detect, levelSizes, toImage } from '../../src/teacher/glip/postprocess.ts'
import type { DetectOptions, GraphOutputs } from '../../src/teacher/glip/postprocess.ts'
import { createRandom } from '../program.ts'
import type { Benchmark } from './benchmark.ts'
import { median, quantile } from '../../src/core/quantile.ts'

const PADDED = { width: 1344, height: 800 }
const RESIZED = { width: 1333, height: 800 }
const ORIGINAL = { width: 1000, height: 600 }
const PHRASES = 8
const ROUNDS = 60
const WARM_UP = 10

const OPTIONS: DetectOptions = {
  anchors: { strides: [8, 16, 32, 64, 128], sizes: [64, 128, 256, 512, 1024] },
  boxWeights: [10, 10, 5, 5],
  candidateScore: 0.05,
  preNms: 1000,
  nmsIou: 0.6,
  maxBoxes: 100,
}

type Random = () => number

/** What a picture gives to a phrase at a position, [0, 1], and the deltas there. */
interface Case {
  readonly name: string
  readonly prob: (random: Random, phrase: number, x: number, y: number) => number
  /** Half of the largest delta: 0 leaves every box on its anchor. */
  readonly spread: number
  /** All boxes of a level lie on one spot, so that each suppresses the others. */
  readonly isPiled: boolean
}

/** Centres of the things in the picture, as shares of its sides, one or two per phrase. */
const THINGS = Array.from({ length: PHRASES }, (_, phrase) => [
  { x: (phrase + 0.5) / PHRASES, y: 0.3 },
  ...(phrase % 2 === 0 ? [{ x: (phrase + 0.5) / PHRASES, y: 0.8 }] : []),
])

const CASES: readonly Case[] = [
  {
    name: 'one or two things per phrase',
    prob: (random, phrase, x, y) => {
      const near = Math.min(...THINGS[phrase]!.map((thing) => Math.hypot(x - thing.x, y - thing.y)))
      return Math.max(0.02 * random(), 0.9 - 14 * near)
    },
    spread: 2,
    isPiled: false,
  },
  {
    name: 'every position for every phrase, boxes apart',
    prob: (random) => 0.06 + 0.9 * random(),
    spread: 2,
    isPiled: false,
  },
  {
    name: 'every position for every phrase, boxes piled up',
    prob: (random) => 0.06 + 0.9 * random(),
    spread: 0.2,
    isPiled: true,
  },
]

interface CaseResult {
  readonly name: string
  readonly pairsAboveFloor: number
  readonly boxes: number
  readonly medianMs: number
  readonly p90Ms: number
  /** Processor time, which other programs do not lengthen as they do the clock's; median. */
  readonly cpuMs: number
}

export interface PostprocessResult {
  readonly positions: number
  readonly phrases: number
  readonly cases: readonly CaseResult[]
}

export const benchmark: Benchmark<PostprocessResult> = {
  run: () => {
    const inputs = CASES.map((each) => ({ each, outputs: outputsOf(each) }))
    const times = inputs.map((): number[] => [])
    const cpuTimes = inputs.map((): number[] => [])
    let boxes: number[] = []
    for (let round = 0; round < WARM_UP + ROUNDS; round++) {
      boxes = inputs.map(({ outputs }, index) => {
        const cpu = process.cpuUsage()
        const startedAt = performance.now()
        const detections = detect({ outputs, padded: PADDED, resized: RESIZED, options: OPTIONS })
        const candidates = toImage(detections, {
          resized: RESIZED,
          original: ORIGINAL,
          phrases: [...Array(PHRASES).keys()],
        })
        const milliseconds = performance.now() - startedAt
        const { user, system } = process.cpuUsage(cpu)
        if (round >= WARM_UP) {
          times[index]!.push(milliseconds)
          cpuTimes[index]!.push((user + system) / 1000)
        }
        return candidates.length
      })
    }
    const cases = inputs.map(({ each, outputs }, index) => ({
      name: each.name,
      pairsAboveFloor: outputs.phraseProb.reduce((n, p) => n + (p > 0.05 ? 1 : 0), 0),
      boxes: boxes[index]!,
      medianMs: median(times[index]!),
      p90Ms: quantile(times[index]!, 0.9),
      cpuMs: median(cpuTimes[index]!),
    }))
    return Promise.resolve({
      positions: inputs[0]!.outputs.centerness.length,
      phrases: PHRASES,
      cases,
    })
  },
  format: ({ positions, phrases, cases }) =>
    [
      `${positions} positions, ${phrases} phrases; ms per image: median, 90 % of rounds below, processor time`,
      ...cases.map(
        ({ name, pairsAboveFloor, boxes, medianMs, p90Ms, cpuMs }) =>
          [medianMs, p90Ms, cpuMs].map((ms) => ms.toFixed(1).padStart(7)).join(' ') +
          `  ${name} ` +
          `(${pairsAboveFloor} pairs above the floor, ${boxes} boxes)`,
      ),
    ].join('\n'),
}

function outputsOf({ prob, spread, isPiled }: Case): GraphOutputs {
  const random = createRandom()
  const phraseProb: number[] = []
  const boxReg: number[] = []
  const centerness: number[] = []
  levelSizes(PADDED, OPTIONS.anchors.strides).forEach((grid, level) => {
    const stride = OPTIONS.anchors.strides[level]!
    const size = OPTIONS.anchors.sizes[level]!
    for (let y = 0; y < grid.height; y++) {
      for (let x = 0; x < grid.width; x++) {
        for (let phrase = 0; phrase < PHRASES; phrase++) {
          phraseProb.push(prob(random, phrase, x / grid.width, y / grid.height))
        }
        const toMiddle = [grid.width / 2 - x, grid.height / 2 - y].map(
          (cells) => (10 * cells * stride) / size,
        )
        for (let side = 0; side < 4; side++) {
          const base = isPiled ? (toMiddle[side] ?? 0) : 0
          boxReg.push(base + spread * (2 * random() - 1))
        }
        centerness.push(4 * random() - 1)
      }
    }
  })
  return {
    phraseProb: Float32Array.from(phraseProb),
    phraseCount: PHRASES,
    boxReg: Float32Array.from(boxReg),
    centerness: Float32Array.from(centerness),
  }
}
