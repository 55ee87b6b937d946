// Scenes with gold through both teachers, measured by the same code.

import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { extract } from 'tar-stream'
import { configSchema } from '../../src/config.ts'
import { codePointIndex } from '../../src/core/span.ts'
import type { Candidate, Phrase } from '../../src/core/types.ts'
import { createImageLoader } from '../../src/ingest/image/load.ts'
import { findModel } from '../../src/teacher/find-model.ts'
import { openTeacher } from '../../src/teacher/open-teacher.ts'
import type { TeacherSample } from '../../src/teacher/teacher.ts'
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
  readonly phrases: readonly {
    readonly start: number
    readonly end: number
    readonly text: string
  }[]
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
  const { found, defaultScore } = await groundGold(model, gold, folder)
  await writeFile(ours, found.map((line) => `${JSON.stringify(line)}\n`).join(''))
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
  process.stdout.write(`  ${agreement(await readLines<FoundLine>(theirs), found)}\n`)
  return isGood
}

async function readLines<T>(file: string): Promise<T[]> {
  const text = await readFile(file, 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

/** Exactly the gold phrases; no extractor is involved. */
async function groundGold(
  model: string,
  gold: readonly GoldLine[],
  folder: string,
): Promise<{ readonly found: FoundLine[]; readonly defaultScore: number }> {
  const config = configSchema.parse({ teacher: { model, provider: 'cpu' } })
  const signal = new AbortController().signal
  const teacher = await openTeacher(config.teacher, config.prompt, () => undefined)
  const loader = createImageLoader(config.fetch, config.image, { input: teacher.input })
  const images = await readImages(folder)
  async function* samples(): AsyncGenerator<TeacherSample & { readonly key: string }> {
    for (const { key, caption, phrases } of gold) {
      const bytes = images.get(key)
      if (bytes === undefined) throw new Error(`${folder} has no image of ${key}`)
      const { input } = await loader.check(bytes, signal)
      const { toUtf16 } = codePointIndex(caption)
      yield {
        key,
        caption,
        input: input!,
        phrases: phrases.map(({ start, end, text }): Phrase => {
          return { start: toUtf16(start), end: toUtf16(end), text, head: text, lemma: text }
        }),
      }
    }
  }
  try {
    const found: FoundLine[] = []
    for await (const grounding of teacher.groundShard(samples(), signal)) {
      if ('error' in grounding) throw grounding.error
      const { sample, candidates } = grounding
      found.push({
        key: sample.key,
        phrases: sample.phrases.map((_, phrase) => ofPhrase(candidates, phrase)),
      })
    }
    return { found, defaultScore: teacher.defaultScore }
  } finally {
    await Promise.all([teacher.close(), loader.close()])
  }
}

function ofPhrase(candidates: readonly Candidate[], index: number): FoundPhrase {
  const mine = candidates.filter(({ phrase }) => phrase === index)
  return {
    boxes: mine.map(({ box: { x1, y1, x2, y2 } }) => [x1, y1, x2, y2] as const),
    scores: mine.map(({ score }) => score),
  }
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
function agreement(python: readonly FoundLine[], typescript: readonly FoundLine[]): string {
  const count = { python: 0, typescript: 0, same: 0 }
  let worst = 0
  python.forEach((line, index) => {
    line.phrases.forEach((wanted, phrase) => {
      const given = typescript[index]!.phrases[phrase]!
      count.python += wanted.boxes.length
      count.typescript += given.boxes.length
      const free = new Set(given.boxes.keys())
      wanted.boxes.forEach((box, i) => {
        const match = [...free].find(
          (j) =>
            iou(box, given.boxes[j]!) >= SAME.iou &&
            Math.abs(wanted.scores[i]! - given.scores[j]!) <= SAME.score,
        )
        if (match === undefined) return
        free.delete(match)
        count.same++
        worst = Math.max(worst, Math.abs(wanted.scores[i]! - given.scores[match]!))
      })
    })
  })
  return (
    `${count.same} of ${count.python} detections of Python are among ${count.typescript} of TypeScript ` +
    `(IoU ${SAME.iou}, score within ${SAME.score}); scores differ by ${worst.toFixed(4)} at most`
  )
}

type Corners = readonly [number, number, number, number]

function iou(a: Corners, b: Corners): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0])
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1])
  if (width <= 0 || height <= 0) return 0
  const area = (box: Corners) => (box[2] - box[0]) * (box[3] - box[1])
  return (width * height) / (area(a) + area(b) - width * height)
}
