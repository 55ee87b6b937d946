import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, InputError } from '../../src/core/errors.ts'
import { inspectModel, sizeOf, summarizeModels } from '../../src/teacher/inspect-model.ts'
import { readDescription } from '../../src/teacher/model-folder.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { rehash, TOY, toyCopy } from './toy.ts'

const NO_GRAPH = { inputs: [], outputs: [] }

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('inspectModel', () => {
  it('tells what a good folder is', async () => {
    const inspection = await inspectModel(TOY)

    expect(inspection).toEqual({
      ...(await readDescription(TOY)),
      facts: [
        ['image', 'short side 64 px, long side at most 128 px'],
        ['text', '16 tokens at most'],
      ],
      graph: {
        inputs: [
          { name: 'images', type: 'uint8', shape: ['B', 'H', 'W', 3] },
          { name: 'image_sizes', type: 'int64', shape: ['B', 2] },
          { name: 'input_ids', type: 'int64', shape: ['B', 'T'] },
          { name: 'attention_mask', type: 'int64', shape: ['B', 'T'] },
          { name: 'positive_map', type: 'float32', shape: ['B', 'P', 'T'] },
        ],
        outputs: [
          { name: 'phrase_prob', type: 'float32', shape: ['B', 'N', 'P'] },
          { name: 'box_reg', type: 'float32', shape: ['B', 'N', 4] },
          { name: 'centerness', type: 'float32', shape: ['B', 'N'] },
        ],
      },
      problems: [],
    })
  })

  it('finds nothing wrong with a model that has no graph', async () => {
    expect(await inspectModel('dummy')).toMatchObject({
      path: resolve('teachers/dummy'),
      facts: [['boxes', 'made up by rule 1; there is no model']],
      graph: NO_GRAPH,
      problems: [],
    })
  })

  it('tells of every file that is wrong', async () => {
    const path = await toyCopy()
    await truncate(join(path, 'model.onnx'), 1000)
    await rm(join(path, 'vocab.txt'))

    const { graph, problems } = await inspectModel(path)

    expect(graph).toEqual(NO_GRAPH)
    expect(problems).toEqual([
      `${join(path, 'model.onnx')} has 1000 bytes, teacher.json says 2133; copy the model folder again`,
      expect.stringMatching(/vocab\.txt is missing \(ENOENT.*\); copy the model folder again$/),
    ])
  })

  it('tells what the architecture does not take, with files as listed', async () => {
    const path = await toyCopy()
    await writeFile(join(path, 'vocab.txt'), '[PAD]\n')
    await rehash(path)

    const { graph, problems } = await inspectModel(path)

    expect(graph).toEqual(NO_GRAPH)
    expect(problems).toEqual([`${join(path, 'vocab.txt')}: the vocabulary has no [UNK] line`])
  })

  it('tells of a graph that is not what teacher.json says, and runs no raw one', async () => {
    let raw = false
    const other = (json: Record<string, unknown>) => {
      Object.assign(json['outputs'] as object, { centerness: 'middle' })
      json['raw'] = raw
    }
    const path = await toyCopy(other)
    raw = true
    const rawPath = await toyCopy(other)

    expect((await inspectModel(path)).problems).toEqual([
      `${join(path, 'model.onnx')} has the outputs phrase_prob, box_reg, centerness; ` +
        'teacher.json says phrase_prob, box_reg, middle',
    ])
    const { graph, problems } = await inspectModel(rawPath)
    expect(problems).toEqual([])
    expect(graph.outputs).toHaveLength(3)
  })

  it('refuses an unknown model, and a teacher.json that cannot be used', async () => {
    const path = await toyCopy()
    await writeFile(join(path, 'teacher.json'), '{}')

    await expect(inspectModel(join(path, 'vocab.txt'))).rejects.toThrow(ConfigError)
    await expect(inspectModel(path)).rejects.toThrow(InputError)
    await expect(inspectModel(path)).rejects.toThrow(/teacher\.json is not a teacher description: /)
  })
})

describe('summarizeModels', () => {
  it('gives each model its description, or its problem', async () => {
    const data = await temporaryFolder()
    vi.stubEnv('XDG_DATA_HOME', data)
    const broken = join(data, 'groundmill', 'teachers', 'broken')
    await mkdir(broken, { recursive: true })
    await writeFile(join(broken, 'teacher.json'), '{"formatVersion":9}')

    expect(await summarizeModels()).toEqual([
      {
        name: 'broken',
        path: broken,
        origin: 'added',
        problem: `${join(broken, 'teacher.json')} has formatVersion 9; this version of groundmill reads 1`,
      },
      expect.objectContaining({
        name: 'dummy',
        description: expect.objectContaining({ id: 'dummy', files: {} }),
      }),
      expect.objectContaining({
        name: 'glip-nano',
        description: expect.objectContaining({ id: 'glip-nano', defaultScore: 0.65 }),
      }),
    ])
  })
})

describe('sizeOf', () => {
  it('adds up the files', async () => {
    expect(sizeOf((await readDescription(TOY)).description)).toBe(2133 + 77)
    expect(sizeOf({ files: {} })).toBe(0)
  })
})
