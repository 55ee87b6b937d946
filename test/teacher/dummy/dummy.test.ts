import { describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../../src/core/errors.ts'
import type { Candidate } from '../../../src/core/types.ts'
import { madeUpBoxes } from '../../../src/teacher/dummy/dummy.ts'
import { describeTeacher, openTeacher } from '../../../src/teacher/open-teacher.ts'
import { groundAll } from '../conformance.ts'
import { picture, promptOptions, teacherOptions, toyCopy, toySample } from '../toy.ts'

const SIZE = { width: 200, height: 100 }

async function open(options: Parameters<typeof teacherOptions>[0] = {}, log = (_: string) => {}) {
  return openTeacher(
    { teacher: teacherOptions({ model: 'dummy', ...options }), prompt: promptOptions() },
    log,
  )
}

async function candidatesOf(
  options: Parameters<typeof teacherOptions>[0],
): Promise<readonly Candidate[]> {
  const teacher = await open(options)
  const words = ['red dot', 'hat', 'hat', 'blue square']
  const sample = toySample('a red dot, a hat, a hat and a blue square', words, picture(64, 64, []))
  const [grounding] = await groundAll(teacher, [sample])
  await teacher.close()
  if (grounding === undefined || 'error' in grounding) throw new Error('no candidates')
  return grounding.candidates
}

describe('the rule of made-up boxes', () => {
  // Another rule needs another number in dummySchema and teachers/dummy, so that runs can be told apart.
  it('is rule 1', async () => {
    const { sha256 } = await describeTeacher(teacherOptions({ model: 'dummy' }))
    const rounded = madeUpBoxes('café', 1, SIZE).map(({ score, box }) =>
      [score, box.x1, box.y1, box.x2, box.y2].map((value) => Math.round(value * 1000) / 1000),
    )

    expect(sha256).toBe('c74465b5e7ffce1c9a189570ff47efc47de58bc90465973efc4bb9b8429ec3f6')
    expect(rounded).toEqual([
      [0.571, 25.03, 31.799, 179.082, 94.964],
      [0.699, 15.405, 31.248, 44.917, 76.265],
      [0.812, 2.07, 16.714, 130.686, 82.545],
    ])
  })

  it('depends on text, index and size', () => {
    const boxes = madeUpBoxes('red hat', 1, SIZE)

    expect(madeUpBoxes('red hat', 1, SIZE)).toEqual(boxes)
    expect(madeUpBoxes('red hats', 1, SIZE)).not.toEqual(boxes)
    expect(madeUpBoxes('red hat', 2, SIZE)).not.toEqual(boxes)
    expect(madeUpBoxes('red hat', 1, { width: 400, height: 100 })).toEqual(
      boxes.map(({ phrase, score, box: { x1, y1, x2, y2 } }) => ({
        phrase,
        score,
        box: { x1: 2 * x1, y1, x2: 2 * x2, y2 },
      })),
    )
  })
})

describe('the dummy teacher', () => {
  it('says that its boxes are made up', async () => {
    const log = vi.fn()

    const teacher = await open({}, log)

    await teacher.close()
    expect(teacher).toMatchObject({ id: 'dummy', provider: 'none', defaultScore: 0.5 })
    expect(log.mock.calls).toEqual([['teacher dummy has no model: its boxes are made up']])
  })

  it('is described without being opened', async () => {
    const described = await describeTeacher(teacherOptions({ model: 'dummy' }))

    expect(described).toMatchObject({ id: 'dummy', defaultScore: 0.5 })
  })

  it('gives boxes above the floor, at most as many as wanted', async () => {
    const all = await candidatesOf({})

    expect(await candidatesOf({ candidateScore: 0.5 })).toEqual(
      all.filter(({ score }) => score > 0.5),
    )
    expect(await candidatesOf({ maxBoxes: 2 })).toEqual(all.slice(0, 2))
    expect(new Set(all.map(({ phrase }) => phrase))).toEqual(new Set([0, 1, 2, 3]))
  })

  it('fits images as configured', async () => {
    const teacher = await open({ shortSide: 96 })

    expect(teacher.input).toEqual({
      kind: 'short-side',
      shortSide: 96,
      longSide: 448,
      padMultiple: 32,
    })
    await expect(open({ shortSide: 500 })).rejects.toThrow(ConfigError)
  })

  it('goes by no other name', async () => {
    const model = await toyCopy((json) => {
      Object.assign(json, { architecture: 'dummy', files: {}, rule: 1 })
    })

    await expect(open({ model })).rejects.toThrow(/id: .*"dummy"/)
  })
})
