// The toy teacher (models/tests/toy_teacher.py) and pictures for it: it finds colours in cells of 8, 16,
// ... px, so a square that fills a cell is found with the box of that cell.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHash } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { fitImage, type ModelInput } from '../../src/core/model-input.ts'
import type { DecodedImage, Phrase } from '../../src/core/types.ts'
import { GlipModel } from '../../src/teacher/glip/glip.ts'
import { readModelFolder } from '../../src/teacher/model-folder.ts'
import {
  promptOptionsSchema,
  teacherOptionsSchema,
  type PromptOptions,
  type TeacherOptions,
} from '../../src/teacher/options.ts'
import type { TeacherSample } from '../../src/teacher/teacher.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

export const TOY = fileURLToPath(new URL('../fixtures/teacher/toy', import.meta.url))

/** As its teacher.json says. */
const INPUT = { kind: 'short-side', shortSide: 64, longSide: 128, padMultiple: 32 } as const

/** The toy's score of a phrase that is nothing but the right pure colour: sqrt(sigmoid(4) sigmoid(2)). */
export const FULL_SCORE = Math.sqrt(1 / (1 + Math.exp(-4)) / (1 + Math.exp(-2)))

export const teacherOptions = (options: Partial<TeacherOptions> = {}) =>
  teacherOptionsSchema.parse({ model: TOY, provider: 'cpu', threads: 1, ...options })
export const promptOptions = (options: Partial<PromptOptions> = {}) =>
  promptOptionsSchema.parse(options)

/** The toy's folder, read and checked, as the GLIP model that it is. */
export async function readToy(): Promise<GlipModel> {
  const { model } = await readModelFolder(TOY)
  if (!(model instanceof GlipModel)) throw new Error(`${TOY} is no GLIP model`)
  return model
}

/** A copy of the toy folder that a test may damage; `teacher.json` goes through `change`. */
export async function toyCopy(change: (json: Record<string, unknown>) => void = () => undefined) {
  const path = await mkdtemp(join(tmpdir(), 'toy-'))
  onTestFinished(() => rm(path, { recursive: true }))
  await cp(TOY, path, { recursive: true })
  const file = join(path, 'teacher.json')
  const json = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  change(json)
  await writeFile(file, JSON.stringify(json))
  return path
}

/** A folder as a model hub holds a model: no teacher.json. */
export async function hubFolder(config: unknown): Promise<string> {
  const path = await temporaryFolder()
  await mkdir(join(path, 'onnx'))
  await writeFile(join(path, 'config.json'), JSON.stringify(config))
  for (const name of ['preprocessor_config.json', 'tokenizer.json']) {
    await writeFile(join(path, name), '{}')
  }
  return path
}

/** Makes the folder's hashes those of its files, as a damaged export would come. */
export async function rehash(path: string): Promise<void> {
  const file = join(path, 'teacher.json')
  const json = JSON.parse(await readFile(file, 'utf8')) as {
    files: Record<string, { size: number; sha256: string }>
  }
  for (const name of Object.keys(json.files)) {
    const bytes = await readFile(join(path, name))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    json.files[name] = { size: bytes.length, sha256 }
  }
  await writeFile(file, JSON.stringify(json))
}

type Colour = 'red' | 'green' | 'blue'
const CHANNEL = { red: 0, green: 1, blue: 2 } as const

export interface Square {
  readonly colour: Colour
  readonly x: number
  readonly y: number
  readonly side: number
}

/** Black but for the squares. */
export function picture(width: number, height: number, squares: readonly Square[]): DecodedImage {
  const data = new Uint8Array(width * height * 3)
  for (const { colour, x, y, side } of squares) {
    for (let row = y; row < y + side; row++) {
      for (let column = x; column < x + side; column++) {
        data[(row * width + column) * 3 + CHANNEL[colour]] = 255
      }
    }
  }
  return { data, width, height }
}

/** A sample whose phrases are the given words of the caption, each found after the one before. */
export function toySample(
  caption: string,
  words: readonly string[],
  decoded: DecodedImage,
  input: ModelInput = INPUT,
): TeacherSample {
  let from = 0
  const phrases = words.map((text): Phrase => {
    const start = caption.indexOf(text, from)
    from = start + text.length
    return { start, end: from, text, head: text, lemma: text }
  })
  return { caption, phrases, input: fitImage(decoded, input) }
}
