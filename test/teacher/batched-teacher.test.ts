// What BatchedTeacher does with an adapter and a runner that fail; what every teacher does is in
// conformance.ts.

import { describe, expect, it } from 'vitest'
import { FatalError, InputError, SampleError } from '../../src/core/errors.ts'
import { fitImage } from '../../src/core/model-input.ts'
import type { Row, Runner, TeacherAdapter } from '../../src/teacher/adapter.ts'
import { BatchedTeacher } from '../../src/teacher/batched-teacher.ts'
import { readDescription } from '../../src/teacher/model-folder.ts'
import type { TeacherSample } from '../../src/teacher/teacher.ts'
import { groundAll } from './conformance.ts'
import { TOY } from './toy.ts'

const INPUT = { kind: 'squash', width: 2, height: 2 } as const
const BOX = { x1: 0, y1: 0, x2: 1, y2: 1 }
const ran = { outputs: {}, milliseconds: 250 }

/** A prompt per letter of the caption; the letter is the score. */
const letters: TeacherAdapter<string> = {
  input: INPUT,
  promptsOf: ({ caption }) => ({ prompts: [...caption], dropped: [] }),
  batchKeyOf: () => '',
  feedsOf: () => ({}),
  candidatesOf: (_, rows: readonly Row<string>[]) =>
    Promise.resolve(
      rows.map(({ prompt }) => [{ phrase: 0, score: prompt.charCodeAt(0) / 128, box: BOX }]),
    ),
  close: () => Promise.resolve(),
}

async function teacherOf(
  run: Runner['run'],
  { batchSize = 1, ...adapter }: Partial<TeacherAdapter<string>> & { batchSize?: number } = {},
): Promise<BatchedTeacher> {
  return new BatchedTeacher({
    folder: await readDescription(TOY),
    runner: { provider: 'cpu', run, close: () => Promise.resolve() },
    adapter: { ...letters, ...adapter },
    batchSize,
  })
}

function samples(...captions: string[]): TeacherSample[] {
  const input = fitImage({ data: new Uint8Array(3), width: 1, height: 1 }, INPUT)
  return captions.map((caption) => ({ caption, phrases: [], input }))
}

/** "ok" or the error's code, in order. */
async function outcomes(teacher: BatchedTeacher, ...captions: string[]): Promise<string[]> {
  const groundings = await groundAll(teacher, samples(...captions))
  return groundings.map((grounding) => ('error' in grounding ? grounding.error.code : 'ok'))
}

describe('BatchedTeacher', () => {
  it('joins the candidates of several prompts by score', async () => {
    const [grounding] = await groundAll(await teacherOf(async () => ran), samples('aZb'))

    expect(grounding).toMatchObject({
      candidates: [98, 97, 90].map((code) => ({ score: code / 128 })),
    })
  })

  it('adds up the time that the model ran', async () => {
    const teacher = await teacherOf(async () => ran)

    await outcomes(teacher, 'ab', 'c')

    expect(teacher.busySeconds).toBe(0.75)
  })

  it('gives up the samples of a failed batch and goes on', async () => {
    let runs = 0
    const run = async () => {
      if (runs++ === 1) throw new Error('out of memory')
      return ran
    }

    expect(await outcomes(await teacherOf(run), ...'abcd')).toEqual([
      ...['ok', 'teacher_failed', 'ok', 'ok'],
    ])
    runs = 0
    expect(await outcomes(await teacherOf(run, { batchSize: 2 }), ...'abcdef')).toEqual([
      ...['ok', 'ok', 'teacher_failed', 'teacher_failed', 'ok', 'ok'],
    ])
  })

  it('names model and problem in the error of a sample', async () => {
    const run = () => Promise.reject(new Error('out of memory'))

    const [grounding] = await groundAll(await teacherOf(run), samples('a'))

    expect(grounding).toMatchObject({ error: { message: 'toy: out of memory' } })
  })

  it('ends the run after three failures in a row, of whatever shards', async () => {
    const teacher = await teacherOf(() => Promise.reject(new Error('out of memory')))
    expect(await outcomes(teacher, ...'ab')).toEqual(['teacher_failed', 'teacher_failed'])

    const grounding = groundAll(teacher, samples('c'))

    await expect(grounding).rejects.toThrow(FatalError)
    await expect(grounding).rejects.toThrow('toy: out of memory (3 batches failed in a row)')
  })

  it('begins to count anew after a batch that ran', async () => {
    let runs = 0
    const teacher = await teacherOf(async () => {
      if (runs++ % 3 < 2) throw new Error('out of memory')
      return ran
    })

    expect(new Set(await outcomes(teacher, ...'abcdefghi'))).toEqual(
      new Set(['teacher_failed', 'ok']),
    )
  })

  it('ends the run when the outputs are not what they should be', async () => {
    const candidatesOf = () => Promise.reject(new InputError('other shapes'))

    const grounding = groundAll(await teacherOf(async () => ran, { candidatesOf }), samples('a'))

    await expect(grounding).rejects.toThrow(FatalError)
    await expect(grounding).rejects.toThrow('toy: other shapes')
  })

  it('counts feeds that cannot be made as a failed batch', async () => {
    const feedsOf = () => {
      throw new RangeError('too large')
    }

    expect(await outcomes(await teacherOf(async () => ran, { feedsOf }), 'a')).toEqual([
      'teacher_failed',
    ])
  })

  it('gives a sample that the adapter refuses its error, and no other', async () => {
    const promptsOf: typeof letters.promptsOf = (sample) => {
      if (sample.caption === 'b') throw new SampleError('prompt_too_long', 'too long')
      return letters.promptsOf(sample)
    }

    expect(await outcomes(await teacherOf(async () => ran, { promptsOf }), ...'abc')).toEqual([
      ...['ok', 'prompt_too_long', 'ok'],
    ])
  })

  it('batches only what may share a batch', async () => {
    const batches: string[] = []
    const teacher = await teacherOf(async () => ran, {
      batchSize: 2,
      batchKeyOf: ({ original }) => String(original.width),
      candidatesOf: (outputs, rows) => {
        batches.push(rows.map(({ prompt }) => prompt).join(''))
        return letters.candidatesOf(outputs, rows)
      },
    })
    const [narrow] = samples('')
    const wide = { ...narrow!, input: { ...narrow!.input, original: { width: 9, height: 1 } } }

    await groundAll(
      teacher,
      [...'abcdef'].map((caption, i) => ({ ...(i % 3 === 0 ? wide : narrow!), caption })),
    )

    expect(batches.sort()).toEqual(['ad', 'bc', 'ef'])
  })

  it('refuses pixels that are not of the size they claim', async () => {
    const [sample] = samples('a')
    const input = { ...sample!.input, data: new Uint8Array(5) }

    await expect(
      groundAll(await teacherOf(async () => ran), [{ ...sample!, input }]),
    ).rejects.toThrow(new TypeError('5 bytes cannot be 2x2 px of RGB'))
  })
})
