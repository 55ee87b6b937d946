// What every teacher promises (src/teacher/teacher.ts), as a suite: a later one calls `itConforms` with a
// way to be opened, and its own test says what only it does.

import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { FatalError } from '../../src/core/errors.ts'
import type { ModelInput } from '../../src/core/model-input.ts'
import type { TeacherParts } from '../../src/teacher/batched-teacher.ts'
import { BatchedTeacher } from '../../src/teacher/batched-teacher.ts'
import type { TeacherOptions } from '../../src/teacher/options.ts'
import type { Grounding, Teacher, TeacherSample } from '../../src/teacher/teacher.ts'
import { picture, toySample } from './toy.ts'

/** How a teacher comes to its trial. */
export interface Candidate {
  /** Opens it anew with these options. */
  readonly open: (options: Partial<TeacherOptions>) => Promise<TeacherParts>
  /** No score is below, [0, 1]. */
  readonly floor: number
}

const never = new AbortController().signal
const COLOURS = ['red', 'green', 'blue'] as const

/** In three sizes, with none to three phrases. */
function sampleOf(index: number, input: ModelInput): TeacherSample {
  const width = [64, 96, 128][(index * index) % 3]!
  const colour = COLOURS[index % 3]!
  const image = picture(width, 64, [{ colour, x: 8 * (index % 8), y: 8, side: 8 }])
  const words = COLOURS.slice(0, index % 4)
  return toySample(`a ${COLOURS.join(' and a ')} square ${index}`, words, image, input)
}

const samplesOf = (count: number, input: ModelInput, from = 0) =>
  Array.from({ length: count }, (_, i) => sampleOf(from + i, input))

/** With a pause before some of the samples. */
async function* slowly<S>(samples: Iterable<S>, pauses: readonly number[]): AsyncGenerator<S> {
  let index = 0
  for (const sample of samples) {
    await delay(pauses[index++ % pauses.length])
    yield sample
  }
}

/** Grounds samples as they can be had. */
export async function* each<S>(samples: Iterable<S>): AsyncGenerator<S> {
  await Promise.resolve()
  yield* samples
}

/** All results of one shard. */
export async function groundAll<S extends TeacherSample>(
  teacher: Teacher,
  samples: AsyncIterable<S> | Iterable<S>,
  signal = never,
): Promise<Grounding<S>[]> {
  const source = Symbol.asyncIterator in samples ? samples : each(samples)
  const groundings: Grounding<S>[] = []
  for await (const grounding of teacher.groundShard(source, signal)) groundings.push(grounding)
  return groundings
}

/** A promise and what settles it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const parts = { open: () => {} }
  const passed = new Promise<void>((resolve) => {
    parts.open = resolve
  })
  return { passed, open: () => parts.open() }
}

/** The suite. */
export function itConforms(name: string, { open, floor }: Candidate): void {
  describe(`${name} as a teacher`, () => {
    let parts: TeacherParts
    let teacher: Teacher
    let batching: Teacher
    let input: ModelInput
    beforeAll(async () => {
      const [single, batched] = await Promise.all([
        open({ batchSize: 1 }),
        open({ batchSize: 3, boxThreads: 2 }),
      ])
      parts = single
      teacher = new BatchedTeacher(single)
      batching = new BatchedTeacher(batched)
      input = teacher.input
    })
    afterAll(async () => {
      await Promise.all([teacher.close(), batching.close()])
    })
    /** The same model with another way to run it; not to be closed. */
    const running = (run: TeacherParts['runner']['run']) =>
      new BatchedTeacher({ ...parts, runner: { ...parts.runner, run } })

    it('says who it is', () => {
      expect(teacher.id).not.toBe('')
      expect(teacher.sha256).toMatch(/^[0-9a-f]{64}$/)
      expect(teacher.defaultScore).toBeGreaterThanOrEqual(floor)
      expect(teacher.defaultScore).toBeLessThanOrEqual(1)
    })

    describe('order', () => {
      it.each([
        ['one by one', () => teacher],
        ['in batches', () => batching],
      ])('gives one result per sample, in input order: %s', async (_, get) => {
        const samples = samplesOf(17, input)

        const groundings = await groundAll(get(), samples)

        expect(groundings).toHaveLength(17)
        groundings.forEach(({ sample }, index) => {
          expect(sample).toBe(samples[index])
        })
      })

      it('gives the same whatever the batch size', async () => {
        const samples = samplesOf(17, input)

        expect(await groundAll(batching, samples)).toEqual(await groundAll(teacher, samples))
      })

      it('gives the same however its source dawdles', async () => {
        const samples = samplesOf(11, input)
        const wanted = await groundAll(batching, samples)

        for (const pauses of [
          [0, 7],
          [15, 0, 0],
          [0, 0, 0, 0, 25],
        ]) {
          expect(await groundAll(batching, slowly(samples, pauses))).toEqual(wanted)
        }
      })

      it('gives the same while it serves other shards', async () => {
        const shards = [0, 5, 10].map((from) => samplesOf(7, input, from))
        const alone = []
        for (const shard of shards) alone.push(await groundAll(batching, shard))

        const together = await Promise.all(
          shards.map((shard, index) => groundAll(batching, slowly(shard, [index, 0, 3]))),
        )

        expect(together).toEqual(alone)
      })
    })

    describe('candidates', () => {
      it.each([
        ['usual', 64, 64],
        ['elongated', 300, 60],
        ['one pixel', 1, 1],
        ['large', 2000, 1500],
      ])(
        'are sorted, of the phrases asked, inside a picture of %s size',
        async (_, width, height) => {
          const image = picture(width, height, [])
          image.data.fill(255)
          const sample = toySample('a red and blue dot', ['red', 'blue', 'dot'], image, input)

          const [grounding] = await groundAll(teacher, [sample])

          if (grounding === undefined || 'error' in grounding) throw new Error('no candidates')
          const { candidates, droppedPhrases } = grounding
          expect(candidates.length).toBeGreaterThan(0)
          expect(droppedPhrases).toEqual([...new Set(droppedPhrases)].sort((a, b) => a - b))
          const scores = candidates.map(({ score }) => score)
          expect(scores).toEqual([...scores].sort((a, b) => b - a))
          for (const { phrase, score, box } of candidates) {
            expect([0, 1, 2]).toContain(phrase)
            expect(droppedPhrases).not.toContain(phrase)
            expect(score).toBeGreaterThanOrEqual(floor)
            expect(score).toBeLessThanOrEqual(1)
            expect(box.x1).toBeGreaterThanOrEqual(0)
            expect(box.y1).toBeGreaterThanOrEqual(0)
            expect(box.x2).toBeLessThanOrEqual(width)
            expect(box.y2).toBeLessThanOrEqual(height)
            expect(box.x2).toBeGreaterThan(box.x1)
            expect(box.y2).toBeGreaterThan(box.y1)
          }
        },
      )

      it('are none for a sample without phrases', async () => {
        const sample = toySample('red', [], picture(64, 64, []), input)

        expect(await groundAll(batching, [sample])).toEqual([
          { sample, candidates: [], droppedPhrases: [] },
        ])
      })
    })

    describe('refusals', () => {
      it.each([
        [{ start: 0, end: 9 }],
        [{ start: -1, end: 2 }],
        [{ start: 2, end: 2 }],
        [{ start: 0.5, end: 2 }],
        [{ start: 0, end: 5 }],
      ])('give the span %j an error and cost no other sample', async (span) => {
        const good = samplesOf(6, input)
        const image = picture(64, 64, [])
        const phrase = { ...span, text: '', head: '', lemma: '' }
        const bad = { ...toySample('dog \u{1f600} ', [], image, input), phrases: [phrase] }
        const mixed = [...good.slice(0, 3), bad, ...good.slice(3)]

        const groundings = await groundAll(batching, mixed)

        expect(groundings[3]).toMatchObject({ sample: bad, error: { code: 'phrases_invalid' } })
        expect(groundings.filter(({ sample }) => sample !== bad)).toEqual(
          await groundAll(batching, good),
        )
      })
    })

    describe('its source', () => {
      it.each([
        ['one by one', () => teacher, 4],
        ['in batches of 3', () => batching, 22],
      ])('is pulled a bounded number of samples ahead: %s', async (_, get, most) => {
        let pulled = 0
        async function* endless() {
          for (;;) {
            await Promise.resolve()
            pulled++
            yield toySample('red', ['red'], picture(64, 64 + 32 * (pulled % 2), []), input)
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

      it('is closed when the consumer stops early', async () => {
        const closed = vi.fn()
        async function* source() {
          try {
            for (let index = 1; ; index += 4) {
              await Promise.resolve()
              yield sampleOf(index, input)
            }
          } finally {
            closed()
          }
        }

        for await (const _ of teacher.groundShard(source(), never)) break

        await vi.waitFor(() => expect(closed).toHaveBeenCalled())
      })

      it('may hang: what is done is given out', async () => {
        const released = gate()
        async function* source() {
          yield sampleOf(1, input)
          await released.passed
        }
        const groundings = teacher.groundShard(source(), never)[Symbol.asyncIterator]()

        expect((await groundings.next()).value).toHaveProperty('candidates')
        released.open()
        expect((await groundings.next()).done).toBe(true)
      })

      it('may fail: its error is passed on', async () => {
        async function* source() {
          yield sampleOf(1, input)
          await Promise.resolve()
          throw new Error('the disk is gone')
        }

        await expect(async () => {
          for await (const _ of teacher.groundShard(source(), never)) await delay(20)
        }).rejects.toThrow('the disk is gone')
      })
    })

    describe('the end', () => {
      it('comes when the signal aborts, even while the source hangs', async () => {
        const controller = new AbortController()
        async function* source() {
          yield sampleOf(1, input)
          await new Promise(() => {})
        }
        const groundings = teacher.groundShard(source(), controller.signal)[Symbol.asyncIterator]()

        expect((await groundings.next()).done).toBe(false)
        const next = groundings.next()
        controller.abort(new Error('stop'))

        await expect(next).rejects.toThrow('stop')
      })

      it('comes at once for a signal that was aborted before', async () => {
        const pulled = vi.fn()
        async function* source() {
          await Promise.resolve()
          pulled()
          yield sampleOf(1, input)
        }

        const grounding = groundAll(teacher, source(), AbortSignal.abort(new Error('stop')))

        await expect(grounding).rejects.toThrow('stop')
        expect(pulled).not.toHaveBeenCalled()
      })

      it('waits for the batches at work, whose results are whole', async () => {
        const own = await open({ batchSize: 1 })
        const [held, isRunning] = [gate(), gate()]
        const events: string[] = []
        const closing = new BatchedTeacher({
          ...own,
          runner: {
            ...own.runner,
            run: async (feeds) => {
              isRunning.open()
              await held.passed
              const result = await own.runner.run(feeds)
              events.push('ran')
              return result
            },
            close: async () => {
              await own.runner.close()
              events.push('closed')
            },
          },
        })
        const sample = sampleOf(1, input)
        const grounding = groundAll(closing, [sample])
        await isRunning.passed

        const closed = closing.close()
        held.open()

        expect(await grounding).toEqual(await groundAll(teacher, [sample]))
        await closed
        expect(events).toEqual(['ran', 'closed'])
        await expect(groundAll(closing, [sample])).rejects.toThrow(FatalError)
      })

      it('is a FatalError when the thread of the model dies', async () => {
        let runs = 0
        const dying = running(async (feeds) => {
          if (runs++ === 2) throw new FatalError('the thread died')
          return parts.runner.run(feeds)
        })

        const grounding = groundAll(dying, samplesOf(9, input))

        await expect(grounding).rejects.toThrow(FatalError)
        await expect(grounding).rejects.toThrow('the thread died')
      })

      it('has no unhandled rejection when the model dies while the consumer is busy', async () => {
        const unhandled = vi.fn()
        process.on('unhandledRejection', unhandled)
        let runs = 0
        const dying = running((feeds) =>
          runs++ === 0
            ? parts.runner.run(feeds)
            : Promise.reject(new FatalError('the thread died')),
        )

        await expect(async () => {
          const source = each(samplesOf(9, input))
          for await (const _ of dying.groundShard(source, never)) await delay(30)
        }).rejects.toThrow('the thread died')

        process.off('unhandledRejection', unhandled)
        expect(unhandled).not.toHaveBeenCalled()
      })
    })
  })
}
