import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { ConfigError, InputError } from '../../src/core/errors.ts'
import { describeTeacher, openTeacher } from '../../src/teacher/open-teacher.ts'
import { promptOptions, rehash, teacherOptions, TOY, toyCopy } from './toy.ts'

const open = (options: Parameters<typeof teacherOptions>[0], log = (_: string) => {}) =>
  openTeacher({ teacher: teacherOptions(options), prompt: promptOptions() }, log)

describe('openTeacher', () => {
  it('falls back to the CPU aloud', async () => {
    const log = vi.fn()

    const teacher = await open({ provider: 'auto' }, log)

    await teacher.close()
    expect(teacher).toMatchObject({ id: 'toy', provider: 'cpu', defaultScore: 0.5 })
    expect(log.mock.calls).toEqual([
      [expect.stringMatching(/^teacher toy runs on cpu \(no cuda: .+\)$/)],
    ])
  })

  it('refuses a provider that cannot be had, and says what can', async () => {
    const opening = open({ provider: 'coreml' })

    await expect(opening).rejects.toThrow(ConfigError)
    await expect(opening).rejects.toThrow(
      /^teacher.provider: no coreml: .*backend not found.* Available here: (.*, )?cpu/,
    )
  }) // it tries every provider, each in a thread of its own

  it('refuses a graph that the runtime cannot read', async () => {
    const model = await toyCopy()
    await truncate(join(model, 'model.onnx'), 1500)
    await rehash(model)

    const opening = open({ model, provider: 'auto' })

    await expect(opening).rejects.toThrow(InputError)
    await expect(opening).rejects.toThrow(/model.onnx cannot be run: .*protobuf/i)
  })

  it('refuses a graph of other bytes, whatever teacher.json says of their hash', async () => {
    const model = await toyCopy()
    const file = join(model, 'model.onnx')
    const bytes = await readFile(file)
    await writeFile(file, bytes.fill(0x5a, 200, 900))
    await rehash(model)

    await expect(open({ model })).rejects.toThrow(/model.onnx cannot be run: /)
  })

  it('refuses a graph with other names than teacher.json says', async () => {
    const model = await toyCopy((json) => {
      json['inputs'] = { ...(json['inputs'] as object), images: 'pixels' }
    })

    await expect(open({ model })).rejects.toThrow(
      /has the inputs images, .*; teacher.json says pixels, /,
    )
  })

  it('refuses a graph whose outputs do not fit the anchors', async () => {
    const model = await toyCopy((json) => {
      json['anchors'] = { strides: [16, 32, 64], sizes: [128, 256, 512] }
      Object.assign(json['image'] as object, { padMultiple: 64 })
    })

    await expect(open({ model })).rejects.toThrow(/cannot be run: an input of 128x128 px has 84/)
  })

  it('refuses a raw export', async () => {
    const model = await toyCopy((json) => (json['raw'] = true))

    await expect(open({ model })).rejects.toThrow(/is a raw export.*without --raw/)
  })

  it('refuses an unknown model and names the known ones', async () => {
    await expect(open({ model: 'glip-giga' })).rejects.toThrow(
      /^teacher.model: glip-giga is neither a folder with a teacher.json nor a known model \(.*\)/,
    )
  })

  it('refuses a short side above the long side', async () => {
    await expect(open({ shortSide: 200 })).rejects.toThrow(
      'teacher.shortSide: 200 px is above the long side of 128 px',
    )
  })
})

describe('describeTeacher', () => {
  it('says who the teacher is without opening it', async () => {
    const { sha256, ...rest } = await describeTeacher(teacherOptions({ model: TOY }))

    expect(rest).toEqual({ id: 'toy', defaultScore: 0.5 })
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
  })
})
