import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { FatalError, SampleError } from '../../../src/core/errors.ts'
import type { Candidate } from '../../../src/core/types.ts'
import type { BoxThreads } from '../../../src/teacher/glip/box-threads.ts'
import { BatchedTeacher } from '../../../src/teacher/batched-teacher.ts'
import { settingsOf } from '../../../src/teacher/glip/glip.ts'
import { GlipAdapter } from '../../../src/teacher/glip/glip-adapter.ts'
import { readModelFolder } from '../../../src/teacher/model-folder.ts'
import type { FloatTensor, OnnxSession } from '../../../src/teacher/onnx-session.ts'
import { openTeacher } from '../../../src/teacher/open-teacher.ts'
import type { Grounding, Teacher, TeacherSample } from '../../../src/teacher/teacher.ts'
import {
  FULL_SCORE,
  picture,
  promptOptions,
  readToy,
  teacherOptions,
  toySample,
  TOY,
} from '../toy.ts'

const never = new AbortController().signal

async function* each<S>(samples: Iterable<S>): AsyncGenerator<S> {
  await Promise.resolve()
  yield* samples
}

async function groundAll<S extends TeacherSample>(
  teacher: Teacher,
  samples: Iterable<S>,
): Promise<Grounding<S>[]> {
  const groundings: Grounding<S>[] = []
  for await (const grounding of teacher.groundShard(each(samples), never)) {
    groundings.push(grounding)
  }
  return groundings
}

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

describe('a teacher', () => {
  let teacher: Teacher
  let batching: Teacher
  beforeAll(async () => {
    const open = (options = {}) =>
      openTeacher(teacherOptions(options), promptOptions(), () => undefined)
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

  it('gives the same in batches, in input order', async () => {
    const samples = Array.from({ length: 17 }, (_, i) => {
      const width = [64, 96, 128][(i * i) % 3]!
      const image = picture(width, 64, [
        { colour: (['red', 'green', 'blue'] as const)[i % 3]!, x: 8 * (i % 8), y: 8, side: 8 },
      ])
      const words = ['red', 'green', 'blue'].slice(0, 1 + (i % 3))
      return toySample(words.join(' and '), words, image)
    })

    const single = await groundAll(teacher, samples)
    const batched = await groundAll(batching, samples)

    expect(single.map(({ sample }) => sample)).toEqual(samples)
    expect(batched).toEqual(single)
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

  it('gives nothing for a sample without phrases, and goes on', async () => {
    const samples = [toySample('red', [], SQUARES), toySample('red', ['red'], SQUARES)]

    const [empty, full] = await groundAll(teacher, samples)

    expect(empty).toEqual({ sample: samples[0], candidates: [], droppedPhrases: [] })
    expect(candidatesOf(full)).not.toHaveLength(0)
  })

  it('gives phrases_invalid for one sample and goes on', async () => {
    const good = toySample('red', ['red'], SQUARES)
    const phrases = [{ start: 0, end: 9, text: '', head: '', lemma: '' }]

    const [bad, next] = await groundAll(teacher, [{ ...good, phrases }, good])

    expect((bad as { error: SampleError }).error).toBeInstanceOf(SampleError)
    expect((bad as { error: SampleError }).error.code).toBe('phrases_invalid')
    expect(next).toHaveProperty('candidates')
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

  it('serves several shards at once', async () => {
    const shard = (colour: 'red' | 'blue') =>
      Array.from({ length: 8 }, () => toySample(colour, [colour], SQUARES))

    const [red, blue] = await Promise.all([
      groundAll(teacher, shard('red')),
      groundAll(teacher, shard('blue')),
    ])

    expect(new Set(red.map((grounding) => JSON.stringify(grounding))).size).toBe(1)
    expect(red[0]).not.toEqual(blue[0])
    expect([red.length, blue.length]).toEqual([8, 8])
  })

  it.each([
    ['one by one', () => teacher, 4],
    ['in batches of 3', () => batching, 22],
  ])('pulls a bounded number of samples ahead: %s', async (_, get, most) => {
    let pulled = 0
    async function* endless() {
      for (;;) {
        await Promise.resolve()
        pulled++
        yield toySample('red', ['red'], picture(64, 64 + 32 * (pulled % 2), []))
      }
    }
    let taken = 0

    for await (const grounding of get().groundShard(endless(), never)) {
      expect(grounding).toHaveProperty('candidates')
      await delay(5)
      expect(pulled - ++taken).toBeLessThan(most)
      if (taken === 20) break
    }
  })

  it('closes its source when the consumer stops early', async () => {
    const closed = vi.fn()
    async function* source() {
      try {
        for (;;) {
          await Promise.resolve()
          yield toySample('red', ['red'], SQUARES)
        }
      } finally {
        closed()
      }
    }

    for await (const _ of teacher.groundShard(source(), never)) break

    await vi.waitFor(() => expect(closed).toHaveBeenCalled())
  })

  it('stops when the signal aborts, even while its source hangs', async () => {
    const controller = new AbortController()
    async function* source() {
      yield toySample('red', ['red'], SQUARES)
      await new Promise(() => {})
    }
    const groundings = teacher.groundShard(source(), controller.signal)[Symbol.asyncIterator]()

    expect((await groundings.next()).done).toBe(false)
    const next = groundings.next()
    controller.abort(new Error('stop'))

    await expect(next).rejects.toThrow('stop')
  })

  it('gives out what is done while its source hangs', async () => {
    const controller = new AbortController()
    async function* source() {
      yield toySample('red', ['red'], SQUARES)
      await new Promise((resolve) => {
        controller.signal.addEventListener('abort', resolve)
      })
    }

    const groundings = teacher.groundShard(source(), never)[Symbol.asyncIterator]()

    expect((await groundings.next()).value).toHaveProperty('candidates')
    controller.abort()
    expect((await groundings.next()).done).toBe(true)
  })

  it('passes on the error of its source', async () => {
    async function* source() {
      yield toySample('red', ['red'], SQUARES)
      await Promise.resolve()
      throw new Error('the disk is gone')
    }

    await expect(async () => {
      for await (const _ of teacher.groundShard(source(), never)) await delay(20)
    }).rejects.toThrow('the disk is gone')
  })
})

describe('a teacher whose model fails', () => {
  /** Runs the real shapes with numbers from `fill`. */
  async function withRun(
    run: OnnxSession['run'],
    threads: Partial<BoxThreads> = {},
  ): Promise<Teacher> {
    const [folder, model] = await Promise.all([readModelFolder(TOY), readToy()])
    const runner = { provider: 'cpu', run, close: () => Promise.resolve() }
    const boxes: BoxThreads = {
      detect: () => Promise.resolve([]),
      close: () => Promise.resolve(),
      ...threads,
    }
    const settings = settingsOf(model.description, teacherOptions(), promptOptions())
    const adapter = new GlipAdapter(model, settings, boxes)
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

  it('gives up the samples of a failed batch and goes on', async () => {
    let runs = 0
    const teacher = await withRun(async () => {
      if (runs++ === 1) throw new Error('out of memory')
      return good
    })

    const groundings = await groundAll(teacher, samples(4))

    const failed = groundings.filter((grounding) => 'error' in grounding)
    expect(failed).toHaveLength(1)
    expect(failed[0]).toMatchObject({
      error: { code: 'teacher_failed', message: 'toy: out of memory' },
    })
  })

  it('ends the run after three failures in a row', async () => {
    const teacher = await withRun(() => Promise.reject(new Error('out of memory')))

    const grounding = groundAll(teacher, samples(9))

    await expect(grounding).rejects.toThrow(FatalError)
    await expect(grounding).rejects.toThrow('toy: out of memory (3 batches failed in a row)')
  })

  it('ends the run when the thread is gone', async () => {
    const teacher = await withRun(() => Promise.reject(new FatalError('the thread died')))

    await expect(groundAll(teacher, samples(2))).rejects.toThrow(FatalError)
  })

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

  it('has no unhandled rejection when the model fails while the consumer is busy', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    let runs = 0
    const teacher = await withRun(() =>
      runs++ === 0 ? Promise.resolve(good) : Promise.reject(new FatalError('the thread died')),
    )

    await expect(async () => {
      for await (const _ of teacher.groundShard(each(samples(6)), never)) await delay(30)
    }).rejects.toThrow('the thread died')

    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})
