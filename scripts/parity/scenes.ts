// Scenes with gold through both teachers, measured by the same code.

import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { extract } from 'tar-stream'
import { boxIou } from '../../src/core/box.ts'
import type { Candidate } from '../../src/core/types.ts'
import { findModel } from '../../src/teacher/find-model.ts'
import { groundAll, matchEach, type Answer } from './ground.ts'
import type { Python } from './python.ts'

/** Points; a larger difference between the two sides is an error in one of them. */
const LIMIT = 0.5
/** A detection is the same at this IoU and score difference. */
const SAME = { iou: 0.95, score: 0.01 }
const MEASURES = ['recall_at_1', 'ap50', 'contrast', 'absent', 'precision', 'recall'] as const

type Metrics = Readonly<
  Record<(typeof MEASURES)[number] | 'images' | 'phrases' | 'threshold', number>
>

interface GoldLine {
  readonly key: string
  readonly caption: string
  /** In Unicode code points. */
  readonly phrases: readonly { readonly start: number; readonly end: number }[]
}

interface FoundPhrase {
  readonly boxes: readonly (readonly [number, number, number, number])[]
  readonly scores: readonly number[]
}

interface FoundLine {
  readonly key: string
  readonly phrases: readonly FoundPhrase[]
}

/**
 * @param folder as glip.scenes or glip.sample writes it
 * @param scratch where detections are kept
 * @returns whether the two agree
 */
export async function compareScenes(
  python: Python,
  model: string,
  folder: string,
  scratch: string,
): Promise<boolean> {
  const modelFolder = await findModel(model)
  const gold = await readLines<GoldLine>(path.join(folder, 'gold.jsonl'))
  const ours = path.join(scratch, 'typescript.jsonl')
  const theirs = path.join(scratch, 'python.jsonl')
  const jpegs = await readImages(folder)
  const questions = gold.map(({ key, caption, phrases }) => {
    const bytes = jpegs.get(key)
    if (bytes === undefined) throw new Error(`${folder} has no image of ${key}`)
    return { key, caption, bytes, spans: phrases.map(({ start, end }) => [start, end] as const) }
  })
  const { answers, defaultScore } = await groundAll({ model }, questions)
  await writeFile(ours, answers.map((answer) => `${JSON.stringify(lineOf(answer))}\n`).join(''))
  const measured = {
    python: JSON.parse(
      await python('glip.evaluate', '--model', modelFolder, '--scenes', folder, '--write', theirs),
    ) as Metrics,
    typescript: JSON.parse(
      await python(
        'glip.evaluate',
        '--gold',
        path.join(folder, 'gold.jsonl'),
        '--detections',
        ours,
        '--threshold',
        String(defaultScore),
      ),
    ) as Metrics,
  }
  const { images, phrases, threshold } = measured.python
  process.stdout.write(
    `${images} images, ${phrases} phrases that are there, threshold ${threshold}\n`,
  )
  process.stdout.write('               Python  TypeScript  points\n')
  let isGood = measured.typescript.threshold === threshold
  for (const measure of MEASURES) {
    const [a, b] = [100 * measured.python[measure], 100 * measured.typescript[measure]]
    isGood &&= Math.abs(b - a) <= LIMIT
    process.stdout.write(
      `  ${measure.padEnd(11)} ${a.toFixed(2).padStart(7)} ${b.toFixed(2).padStart(11)} ${(b - a).toFixed(2).padStart(7)}\n`,
    )
  }
  process.stdout.write(`  ${agreement(await readLines<FoundLine>(theirs), answers)}\n`)
  return isGood
}

async function readLines<T>(file: string): Promise<T[]> {
  const text = await readFile(file, 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

function lineOf({ key, phrases, candidates }: Answer): FoundLine {
  return {
    key,
    phrases: phrases.map((_, index) => {
      const mine = candidates.filter(({ phrase }) => phrase === index)
      return {
        boxes: mine.map(({ box: { x1, y1, x2, y2 } }) => [x1, y1, x2, y2] as const),
        scores: mine.map(({ score }) => score),
      }
    }),
  }
}

function candidatesOf({ phrases }: FoundLine): Candidate[] {
  return phrases.flatMap(({ boxes, scores }, phrase) =>
    boxes.map(([x1, y1, x2, y2], i) => ({ phrase, score: scores[i]!, box: { x1, y1, x2, y2 } })),
  )
}

/** JPEG bytes by key. */
async function readImages(folder: string): Promise<Map<string, Buffer>> {
  const images = new Map<string, Buffer>()
  const names = await readdir(folder)
  for (const name of names.filter((each) => /^scenes-.*\.tar$/.test(each))) {
    const entries = createReadStream(path.join(folder, name)).pipe(extract())
    for await (const entry of entries) {
      const chunks: Buffer[] = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      const key = /^(.*)\.jpg$/.exec(entry.header.name)?.[1]
      if (key !== undefined) images.set(key, Buffer.concat(chunks))
    }
  }
  if (names.includes('images')) {
    for (const name of await readdir(path.join(folder, 'images'))) {
      images.set(path.basename(name, '.jpg'), await readFile(path.join(folder, 'images', name)))
    }
  }
  return images
}

/** How many detections of one side the other has, too. */
function agreement(python: readonly FoundLine[], typescript: readonly Answer[]): string {
  const wanted = python.map(candidatesOf)
  const matches = wanted.flatMap((each, index) =>
    matchEach(each, typescript[index]!.candidates, (a, b) => {
      const isSame = boxIou(a.box, b.box) >= SAME.iou && Math.abs(a.score - b.score) <= SAME.score
      return isSame ? 0 : undefined
    }),
  )
  const worst = Math.max(
    0,
    ...matches.map(({ wanted: a, given: b }) => Math.abs(a.score - b.score)),
  )
  const given = typescript.reduce((sum, { candidates }) => sum + candidates.length, 0)
  return (
    `${matches.length} of ${wanted.flat().length} detections of Python are among ${given} of TypeScript ` +
    `(IoU ${SAME.iou}, score within ${SAME.score}); scores differ by ${worst.toFixed(4)} at most`
  )
}
