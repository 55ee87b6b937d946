// Detections recorded from the GLIP reference on weights that follow a rule (golden/README.md), through the
// graph that models/ exports of the same weights and the TypeScript teacher around it.

import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { configSchema } from '../../src/config.ts'
import { fitImage } from '../../src/core/model-input.ts'
import { codePointIndex } from '../../src/core/span.ts'
import type { Candidate, Phrase } from '../../src/core/types.ts'
import { createImageChecker } from '../../src/ingest/image/check.ts'
import { openTeacher } from '../../src/teacher/open-teacher.ts'
import type { TeacherSample } from '../../src/teacher/teacher.ts'
import { floats, numbers, readNpz } from '../../test/helpers/npz.ts'
import type { Python } from './python.ts'

/** Of golden/README.md section 4. */
const MODELS = [
  { model: 'glip-t-a', folder: 'glip-a', scoreLimit: 3e-5, boxLimit: 1e-2 },
  { model: 'glip-t', folder: 'glip-t', scoreLimit: 3e-4, boxLimit: 0.15 },
] as const
const LONG_SIDE = 1333
const THRESHOLD = 0.05

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
  const config = configSchema.parse({
    teacher: { model, provider: 'cpu', shortSide: min_size, longSide: LONG_SIDE },
  })
  const signal = new AbortController().signal
  const checker = createImageChecker(config.image)
  const bytes = await readFile(path.join(folder, images[0]!.file))
  const { used: decoded } = await checker.check(bytes, signal, (image) => image)
  const { toUtf16 } = codePointIndex(caption)
  const phrases = spans.map(([span]): Phrase => {
    const [start, end] = [toUtf16(span![0]), toUtf16(span![1])]
    const text = caption.slice(start, end)
    return { start, end, text, head: text, lemma: text }
  })
  const teacher = await openTeacher(config.teacher, config.prompt, () => undefined)
  const input = fitImage(decoded, teacher.input)
  const sample: TeacherSample = { caption, phrases, input }
  let candidates: readonly Candidate[] = []
  try {
    for await (const grounding of teacher.groundShard(one(sample), signal)) {
      if ('error' in grounding) throw grounding.error
      candidates = grounding.candidates
    }
  } finally {
    await teacher.close()
  }
  const { resized } = input
  const pixel = { x: decoded.width / resized.width, y: decoded.height / resized.height }
  const recorded = readNpz(path.join(folder, `${name}.npz`))
  const key = `det/th${THRESHOLD}/0`
  const boxes = numbers(recorded, `${key}/boxes`)
  const scores = floats(recorded, `${key}/scores`)
  const labels = numbers(recorded, `${key}/labels`)
  const free = new Set(candidates)
  let matched = 0
  const worst = { score: 0, box: 0 }
  labels.forEach((label, i) => {
    // Recorded boxes end at their last pixel; ours one resized pixel further, at the edge.
    const distanceOf = ({ box }: Candidate) =>
      Math.max(
        Math.abs(box.x1 - boxes[i * 4]!),
        Math.abs(box.y1 - boxes[i * 4 + 1]!),
        Math.abs(box.x2 - pixel.x - boxes[i * 4 + 2]!),
        Math.abs(box.y2 - pixel.y - boxes[i * 4 + 3]!),
      )
    const [match] = [...free]
      .filter(
        (candidate) =>
          candidate.phrase === label - 1 &&
          Math.abs(candidate.score - scores[i]!) <= limits.scoreLimit &&
          distanceOf(candidate) <= limits.boxLimit,
      )
      .sort((a, b) => distanceOf(a) - distanceOf(b))
    if (match === undefined) return
    free.delete(match)
    matched++
    worst.score = Math.max(worst.score, Math.abs(match.score - scores[i]!))
    worst.box = Math.max(worst.box, distanceOf(match))
  })
  const isGood = matched === labels.length && candidates.length === labels.length
  process.stdout.write(
    `${path.basename(folder)}/${name}: ${matched} of ${labels.length} recorded detections found, ` +
      `${candidates.length} in all; scores within ${worst.score.toExponential(1)} ` +
      `(limit ${limits.scoreLimit}), boxes within ${worst.box.toExponential(1)} px (limit ${limits.boxLimit})` +
      `${isGood ? '' : '  DIFFERENT'}\n`,
  )
  return isGood
}

async function* one<T>(item: T): AsyncGenerator<T> {
  await Promise.resolve()
  yield item
}
