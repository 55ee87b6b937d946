// Detections recorded from the GLIP reference on weights that follow a rule (golden/README.md), through the
// graph that models/ exports of the same weights and the TypeScript teacher around it.

import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Candidate } from '../../src/core/types.ts'
import { floats, numbers, readNpz } from '../../test/helpers/npz.ts'
import { groundAll, matchEach } from './ground.ts'
import type { Python } from './python.ts'

/** Of golden/README.md section 4. */
const MODELS = [
  { model: 'glip-t-a', folder: 'glip-a', scoreLimit: 3e-5, boxLimit: 1e-2 },
  { model: 'glip-t', folder: 'glip-t', scoreLimit: 3e-4, boxLimit: 0.15 },
] as const
const LONG_SIDE = 1333
const THRESHOLD = 0.05
const SIDES = ['x1', 'y1', 'x2', 'y2'] as const

interface Case {
  readonly name: string
  readonly min_size: number
  readonly images: readonly { readonly file: string }[]
  readonly caption: string
  readonly spans: readonly (readonly (readonly [number, number])[])[]
}

interface Limits {
  readonly scoreLimit: number
  readonly boxLimit: number
}

/**
 * Cases with one image; the teacher never pads images of different sizes together, as the batch case does.
 *
 * @param wanted `folder/name` of the cases to run; all without it
 * @returns whether every recorded detection was found, and no other
 */
export async function compareGoldens(
  python: Python,
  golden: string,
  scratch: string,
  wanted: readonly string[] | undefined,
): Promise<boolean> {
  let isGood = true
  for (const { model, folder, ...limits } of MODELS) {
    const { cases } = JSON.parse(
      await readFile(path.join(golden, folder, 'cases.json'), 'utf8'),
    ) as { readonly cases: readonly Case[] }
    const chosen = cases.filter(
      ({ name, images }) =>
        images.length === 1 && (wanted === undefined || wanted.includes(`${folder}/${name}`)),
    )
    if (chosen.length === 0) continue
    const teacher = path.join(scratch, model)
    process.stderr.write(`exporting ${model} with weights by rule\n`)
    await python('glip.parity', '--model', model, '--golden', golden, '--write', teacher)
    for (const each of chosen) {
      const agrees = await compareCase(each, path.join(golden, folder), teacher, limits)
      isGood &&= agrees
    }
    await rm(teacher, { recursive: true })
  }
  return isGood
}

async function compareCase(
  { name, min_size, images, caption, spans }: Case,
  folder: string,
  model: string,
  limits: Limits,
): Promise<boolean> {
  const bytes = await readFile(path.join(folder, images[0]!.file))
  const { answers } = await groundAll({ model, shortSide: min_size, longSide: LONG_SIDE }, [
    { key: name, bytes, caption, spans: spans.map(([span]) => span!) },
  ])
  const { input, candidates } = answers[0]!
  const { resized, original } = input
  const pixel = { x: original.width / resized.width, y: original.height / resized.height }
  const recorded = recordedOf(readNpz(path.join(folder, `${name}.npz`)), pixel)
  const matches = matchEach(recorded, candidates, (a, b) => {
    const apart = Math.max(...SIDES.map((side) => Math.abs(a.box[side] - b.box[side])))
    return Math.abs(a.score - b.score) <= limits.scoreLimit && apart <= limits.boxLimit
      ? apart
      : undefined
  })
  const worst = {
    score: Math.max(0, ...matches.map(({ wanted, given }) => Math.abs(wanted.score - given.score))),
    box: Math.max(0, ...matches.map(({ distance }) => distance)),
  }
  const isGood = matches.length === recorded.length && candidates.length === recorded.length
  process.stdout.write(
    `${path.basename(folder)}/${name}: ${matches.length} of ${recorded.length} recorded detections found, ` +
      `${candidates.length} in all; scores within ${worst.score.toExponential(1)} ` +
      `(limit ${limits.scoreLimit}), boxes within ${worst.box.toExponential(1)} px (limit ${limits.boxLimit})` +
      `${isGood ? '' : '  DIFFERENT'}\n`,
  )
  return isGood
}

/** Recorded boxes end at their last pixel; ours one resized pixel further, at the edge. */
function recordedOf(
  arrays: ReturnType<typeof readNpz>,
  pixel: { readonly x: number; readonly y: number },
): Candidate[] {
  const key = `det/th${THRESHOLD}/0`
  const boxes = numbers(arrays, `${key}/boxes`)
  const scores = floats(arrays, `${key}/scores`)
  return numbers(arrays, `${key}/labels`).map((label, i) => ({
    phrase: label - 1,
    score: scores[i]!,
    box: {
      x1: boxes[i * 4]!,
      y1: boxes[i * 4 + 1]!,
      x2: boxes[i * 4 + 2]! + pixel.x,
      y2: boxes[i * 4 + 3]! + pixel.y,
    },
  }))
}
