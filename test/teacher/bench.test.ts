// With a clock that only the work itself moves, so that every figure can be worked out.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SampleError } from '../../src/core/errors.ts'
import { fitImage } from '../../src/core/model-input.ts'
import type { Row, Runner, TeacherAdapter } from '../../src/teacher/adapter.ts'
import {
  benchTeacher,
  costOf,
  prepareBatches,
  runBatches,
  stageTimes,
  type BenchOptions,
} from '../../src/teacher/bench.ts'
import type { TeacherParts } from '../../src/teacher/batched-teacher.ts'
import { readDescription } from '../../src/teacher/model-folder.ts'
import type { TeacherSample } from '../../src/teacher/teacher.ts'
import { picture, TOY } from './toy.ts'

const INPUT = { kind: 'squash', width: 2, height: 2 } as const
const DECODED = picture(1, 1, [])

/** ms since the test began. */
let clock: number

beforeEach(() => {
  clock = 0
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
  // Half of the time in the program, and 1 ms in all in the system.
  vi.spyOn(process, 'cpuUsage').mockImplementation((since) =>
    since === undefined
      ? { user: clock * 500, system: 0 }
      : { user: clock * 500 - since.user, system: 1000 },
  )
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** A prompt per letter of the caption; each of its steps takes so many ms. */
const adapter: TeacherAdapter<string> = {
  input: INPUT,
  promptsOf: ({ caption }) => {
    clock += 2
    if (caption === '!') throw new SampleError('prompt_too_long', 'no such letter')
    return { prompts: [...caption], dropped: [] }
  },
  batchKeyOf: ({ original }) => String(original.width),
  feedsOf: () => {
    clock += 3
    return {}
  },
  candidatesOf: (_, rows) => {
    clock += 5
    return Promise.resolve(rows.map(() => []))
  },
  close: () => Promise.resolve(),
}
const run: Runner['run'] = () => {
  clock += 7
  return Promise.resolve({ outputs: {}, milliseconds: 7 })
}
const runner: Runner = { provider: 'cpu', run, close: () => Promise.resolve() }

function sampleOf(caption: string, width = 1): TeacherSample {
  return { caption, phrases: [], input: fitImage(picture(width, 1, []), INPUT) }
}

const lettersOf = (batches: readonly (readonly Row<unknown>[])[]) =>
  batches.map((batch) => batch.map(({ prompt }) => prompt).join(''))

describe('prepareBatches', () => {
  it('forms the batches that the teacher forms: of one key, groups together', () => {
    const samples = [sampleOf('ab'), sampleOf('c', 9), sampleOf('de'), sampleOf(''), sampleOf('f')]

    expect(lettersOf(prepareBatches(samples, { adapter, batchSize: 3 }))).toEqual([
      'ab',
      'def',
      'c',
    ])
  })
})

describe('runBatches', () => {
  it('runs each batch once, two at a time', async () => {
    const asked: string[] = []
    const waiting: (() => void)[] = []
    const slow: Runner['run'] = () =>
      new Promise((resolve) => waiting.push(() => resolve({ outputs: {}, milliseconds: 0 })))
    const feedsOf = (rows: readonly Row<string>[]) => {
      asked.push(...lettersOf([rows]))
      return {}
    }
    const batches = prepareBatches(
      [...'abc'].map((letter) => sampleOf(letter)),
      {
        adapter,
        batchSize: 1,
      },
    )

    const done = runBatches(
      { adapter: { ...adapter, feedsOf }, runner: { ...runner, run: slow } },
      batches,
    )

    expect(asked).toEqual(['a', 'b'])
    waiting[1]!()
    await vi.waitFor(() => expect(asked).toEqual(['a', 'b', 'c']))
    for (const end of waiting) end()
    await done
    expect(waiting).toHaveLength(3)
  })

  it('ends with the error of a run', async () => {
    const failing = { ...runner, run: () => Promise.reject(new Error('out of memory')) }
    const batches = prepareBatches([sampleOf('a')], { adapter, batchSize: 1 })

    await expect(runBatches({ adapter, runner: failing }, batches)).rejects.toThrow('out of memory')
  })
})

describe('costOf', () => {
  it('gives seconds of the clock and of the processor, user and system', async () => {
    clock = 1000

    const cost = await costOf(async () => (clock += 250))

    expect(cost).toEqual({ seconds: 0.25, cpuSeconds: 0.126 })
  })
})

describe('stageTimes', () => {
  it('gives ms per image, the stages of each prompt added up', async () => {
    const decode = async (caption: string) => {
      clock += 11
      return { caption, phrases: [], decoded: DECODED }
    }

    const times = await stageTimes({ adapter, runner }, { images: ['a', 'bcd'], decode })

    // Two images, four prompts.
    expect(times).toEqual({ decode: 11, resize: 0, prompt: 2, feeds: 6, graph: 14, boxes: 10 })
  })
})

describe('benchTeacher', () => {
  const STREAM_MS = 23

  async function bench(options: Partial<BenchOptions<string>> = {}, batchSize = 1) {
    const parts: TeacherParts = { folder: await readDescription(TOY), runner, adapter, batchSize }
    return benchTeacher<string>(parts, {
      images: Array.from({ length: 24 }, () => 'a'),
      decode: async (caption) => ({ caption, phrases: [], decoded: DECODED }),
      async *stream(images) {
        for (const caption of images) {
          clock += STREAM_MS
          yield sampleOf(caption)
        }
      },
      seconds: 0,
      signal: new AbortController().signal,
      ...options,
    })
  }

  it('compares the graph with the whole teacher in three rounds at least', async () => {
    const result = await bench()

    // ms per image: the graph 3 + 7 (feeds, run); the teacher 23 + 2 + 3 + 7 + 5.
    expect(result).toEqual({
      images: 24,
      rounds: 3,
      imagesPerSecond: { graph: expect.closeTo(100), teacher: expect.closeTo(25) },
      ratio: expect.closeTo(0.25),
      ratioQuartiles: [expect.closeTo(0.25), expect.closeTo(0.25)],
      cpuMsPerImage: { graph: expect.closeTo(5 + 1 / 24), teacher: expect.closeTo(20 + 1 / 24) },
      stageMs: { decode: 0, resize: 0, prompt: 2, feeds: 3, graph: 7, boxes: 5 },
    })
  })

  it('goes on until the time has passed', async () => {
    // A round takes 24 * 50 ms; the fifth begins at 4.8 s.
    expect((await bench({ seconds: 5 })).rounds).toBe(5)
  })

  it('takes whole rounds of the images, one after another', async () => {
    const streamed: string[] = []
    const images = ['a', 'b', 'c'].flatMap((letter) => Array.from({ length: 24 }, () => letter))
    async function* stream(some: readonly string[]) {
      streamed.push([...new Set(some)].join(''))
      for (const caption of some) yield sampleOf(caption)
    }

    await bench({ images: images.slice(0, -1), stream })

    // To prepare, once for the warmth, then in the rounds.
    expect(streamed).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'a'])
  })

  it('lets graph and teacher begin in turns', async () => {
    const fed = vi.spyOn(adapter, 'feedsOf')
    // The graph runs what was streamed first: g; the stages are s.
    let letter = 'g'
    async function* stream(some: readonly string[]) {
      for (const _ of some) yield sampleOf(letter)
      letter = 't'
    }
    const decode = async () => ({ caption: 's', phrases: [], decoded: DECODED })

    await bench({ stream, decode })

    const order = fed.mock.calls.map(([[row]]) => row!.prompt).join('')
    expect(order.match(/(.)\1*/g)!.map((same) => `${same.length / 24}${same[0]}`)).toEqual([
      ...['1t', '1s'], // for the warmth, and the stages
      ...['1g', '2t', '2g', '1t'], // gt, tg, gt
    ])
  })

  it('ends with the error of a sample that is refused', async () => {
    const images = [...Array.from({ length: 23 }, () => 'a'), '!']
    // Its batches were prepared from others.
    let passes = 0
    async function* stream(some: readonly string[]) {
      passes++
      for (const caption of some) yield sampleOf(passes === 1 ? 'a' : caption)
    }

    await expect(bench({ images, stream })).rejects.toThrow(
      new SampleError('prompt_too_long', 'no such letter'),
    )
  })

  it('ends with the reason of the signal', async () => {
    await expect(bench({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    )
  })
})
