import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FatalError } from '../../../src/core/errors.ts'
import type { Candidate } from '../../../src/core/types.ts'
import type { BoxThreads } from '../../../src/teacher/glip/box-threads.ts'
import type { Runner } from '../../../src/teacher/adapter.ts'
import { BatchedTeacher } from '../../../src/teacher/batched-teacher.ts'
import { settingsOf } from '../../../src/teacher/glip/glip.ts'
import { createGlipAdapter } from '../../../src/teacher/glip/glip-adapter.ts'
import { readModelFolder } from '../../../src/teacher/model-folder.ts'
import type { FloatTensor } from '../../../src/teacher/onnx-session.ts'
import { openTeacher } from '../../../src/teacher/open-teacher.ts'
import type { Grounding, Teacher, TeacherSample } from '../../../src/teacher/teacher.ts'
import { groundAll } from '../conformance.ts'
import {
  FULL_SCORE,
  picture,
  promptOptions,
  readToy,
  teacherOptions,
  toySample,
  TOY,
} from '../toy.ts'

/** With boxes rounded to hundredths of a pixel. */
function candidatesOf(grounding: Grounding<TeacherSample> | undefined): Candidate[] {
  if (grounding === undefined || 'error' in grounding) throw new Error('no candidates')
  const round = (value: number) => Math.round(value * 100) / 100
  return grounding.candidates.map(({ phrase, score, box: { x1, y1, x2, y2 } }) => ({
    phrase,
    score,
    box: { x1: round(x1), y1: round(y1), x2: round(x2), y2: round(y2) },
  }))
}

/** Two squares, in the cells (2, 3) and (5, 1) of the finest grid. */
const SQUARES = picture(64, 64, [
  { colour: 'red', x: 16, y: 24, side: 8 },
  { colour: 'blue', x: 40, y: 8, side: 8 },
])

describe('the GLIP teacher', () => {
  let teacher: Teacher
  let batching: Teacher
  beforeAll(async () => {
    const open = (options = {}) =>
      openTeacher({ teacher: teacherOptions(options), prompt: promptOptions() }, () => undefined)
    ;[teacher, batching] = await Promise.all([open(), open({ batchSize: 3, boxThreads: 2 })])
  })
  afterAll(async () => {
    await Promise.all([teacher.close(), batching.close()])
  })

  it('finds each phrase where it is', async () => {
    const sample = toySample('a blue dot and red', ['blue', 'red'], SQUARES)

    const [grounding] = await groundAll(teacher, [sample])

    expect(grounding).toMatchObject({ sample, droppedPhrases: [] })
    const candidates = candidatesOf(grounding)
    const best = candidates.slice(0, 2)
    expect(best).toEqual([
      { phrase: 0, score: expect.closeTo(FULL_SCORE, 6), box: { x1: 40, y1: 8, x2: 48, y2: 16 } },
      { phrase: 1, score: expect.closeTo(FULL_SCORE, 6), box: { x1: 16, y1: 24, x2: 24, y2: 32 } },
    ])
    const scores = candidates.map(({ score }) => score)
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
  })

  it('gives boxes in pixels of the stored image', async () => {
    // 128x96 px become 85x64: 85/128 differs from 64/96, so the two axes have their own scale.
    const image = picture(128, 96, [{ colour: 'red', x: 0, y: 0, side: 12 }])

    const [grounding] = await groundAll(teacher, [toySample('red', ['red'], image)])

    expect(candidatesOf(grounding)[0]!.box).toEqual({ x1: 0, y1: 0, x2: 12.05, y2: 12 })
  })

  it('asks a long caption in several prompts and joins the answers', async () => {
    const caption = 'red square and a square and a blue square and a square and a green square'
    const image = picture(64, 64, [
      { colour: 'green', x: 8, y: 8, side: 8 },
      { colour: 'red', x: 40, y: 40, side: 8 },
    ])

    for (const each of [teacher, batching]) {
      const [grounding] = await groundAll(each, [toySample(caption, ['red', 'green'], image)])

      const candidates = candidatesOf(grounding)
      expect(candidates.slice(0, 2).map(({ phrase, box }) => [phrase, box])).toEqual([
        [0, { x1: 40, y1: 40, x2: 48, y2: 48 }],
        [1, { x1: 8, y1: 8, x2: 16, y2: 16 }],
      ])
    }
  })

  it('reports phrases that no prompt can hold', async () => {
    const long = `square${' and a red square'.repeat(4)}`

    const [grounding] = await groundAll(teacher, [
      toySample(`red dot ${long}`, ['red', long], SQUARES),
    ])

    expect(grounding).toMatchObject({ droppedPhrases: [1] })
    expect(candidatesOf(grounding)).not.toHaveLength(0)
  })

  it.each([
    [1, 1],
    [20_000, 300],
    [1, 60],
  ])('takes an image of %dx%d px', async (width, height) => {
    const image = picture(width, height, [])
    image.data.fill(255)

    const [grounding] = await groundAll(teacher, [toySample('a dot', ['dot'], image)])

    const candidates = candidatesOf(grounding)
    expect(candidates.length).toBeGreaterThan(0)
    for (const { box } of candidates) {
      expect(box.x1).toBeGreaterThanOrEqual(0)
      expect(box.x2).toBeLessThanOrEqual(width)
      expect(box.y2).toBeLessThanOrEqual(height)
    }
  })
})

describe('the GLIP teacher whose model fails', () => {
  async function withRun(run: Runner['run'], threads: Partial<BoxThreads> = {}): Promise<Teacher> {
    const [folder, model] = await Promise.all([readModelFolder(TOY), readToy()])
    const runner = { provider: 'cpu', run, close: () => Promise.resolve() }
    const boxes: BoxThreads = {
      detect: () => Promise.resolve([]),
      close: () => Promise.resolve(),
      ...threads,
    }
    const settings = settingsOf(model.description, {
      teacher: teacherOptions(),
      prompt: promptOptions(),
    })
    const adapter = createGlipAdapter(model, settings, boxes)
    return new BatchedTeacher({ folder, runner, adapter, batchSize: 1 })
  }
  const tensor = (...dims: number[]): FloatTensor => ({
    type: 'float32',
    data: new Float32Array(dims.reduce((product, dim) => product * dim)),
    dims,
  })
  const good = {
    outputs: {
      phrase_prob: tensor(1, 86, 1),
      box_reg: tensor(1, 86, 4),
      centerness: tensor(1, 86),
    },
    milliseconds: 1,
  }
  const samples = (count: number) =>
    Array.from({ length: count }, () => toySample('red', ['red'], SQUARES))

  it('ends the run when the thread for boxes is gone', async () => {
    const died = () => Promise.reject(new FatalError('the box thread died'))
    const teacher = await withRun(() => Promise.resolve(good), { detect: died })

    const grounding = groundAll(teacher, samples(5))

    await expect(grounding).rejects.toThrow(FatalError)
    await expect(grounding).rejects.toThrow('the box thread died')
  })

  it('ends the run when the outputs have other shapes', async () => {
    const outputs = { ...good.outputs, centerness: tensor(1, 85) }
    const teacher = await withRun(() => Promise.resolve({ ...good, outputs }))

    await expect(groundAll(teacher, samples(2))).rejects.toThrow(
      /toy: the graph's outputs have the shapes \[1, 86, 1\], \[1, 86, 4\], \[1, 85\] instead of/,
    )
  })
})
