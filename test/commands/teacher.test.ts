import { readdir, rm, truncate } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { hubFolder, rehash, TOY, toyCopy } from '../teacher/toy.ts'

/** Where models are added to, of this test alone. */
let models: string

beforeEach(async () => {
  const data = await temporaryFolder()
  vi.stubEnv('XDG_DATA_HOME', data)
  models = join(data, 'groundmill', 'teachers')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

describe('teacher list', () => {
  it('lists the bundled models with size, precision and licence', async () => {
    const { code, stdout } = await runMain('teacher', 'list', '--json')

    const listed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(code).toBe(0)
    expect(listed).toEqual([
      expect.objectContaining({ name: 'dummy', origin: 'bundled', architecture: 'dummy', size: 0 }),
      expect.objectContaining({
        name: 'glip-nano',
        origin: 'bundled',
        precision: expect.stringMatching(/^(fp32|fp16|int8)$/),
        licence: 'Apache-2.0',
        size: expect.any(Number),
      }),
    ])
    expect((listed[1] as { size: number }).size).toBeLessThanOrEqual(17_000_000)
  })

  it('says of the dummy that its boxes are made up', async () => {
    const list = await runMain('teacher', 'list')
    const inspected = await runMain('teacher', 'inspect', 'dummy')

    expect(list.stdout).toMatch(/^dummy +bundled +dummy made-up boxes +no model /m)
    expect(inspected.code).toBe(0)
    expect(inspected.stdout).toMatch(/^boxes +made up by rule 1; there is no model$/m)
    expect(inspected.stdout).toMatch(/^checked +teacher.json$/m)
  })

  it('lists a damaged model with its problem', async () => {
    await runMain('teacher', 'add', TOY)
    await truncate(join(models, 'toy', 'teacher.json'), 10)

    const { code, stdout } = await runMain('teacher', 'list')

    expect(code).toBe(0)
    expect(stdout).toMatch(/^glip-nano .*bundled/m)
    expect(stdout).toMatch(/^toy +added .*cannot be used: .*teacher.json is not JSON/m)
  })
})

describe('teacher inspect', () => {
  it('tells what a model is and that it runs', async () => {
    const { code, stdout } = await runMain('teacher', 'inspect', TOY, '--json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      path: TOY,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      description: { id: 'toy', provenance: expect.any(Object) },
      graph: {
        inputs: expect.arrayContaining([
          {
            name: 'images',
            type: 'uint8',
            shape: [expect.anything(), expect.anything(), expect.anything(), 3],
          },
        ]),
        outputs: expect.arrayContaining([expect.objectContaining({ name: 'phrase_prob' })]),
      },
      problems: [],
    })
  })

  it.each([
    ['vocab.txt is missing', async (path: string) => rm(join(path, 'vocab.txt'))],
    ['model.onnx has 1000 bytes', async (path: string) => truncate(join(path, 'model.onnx'), 1000)],
  ])('says what is wrong: %s', async (problem, damage) => {
    const path = await toyCopy()
    await damage(path)

    const { code, stdout, stderr } = await runMain('teacher', 'inspect', path)

    expect(code).toBe(65)
    expect(stdout).toMatch(/checked +not usable/)
    expect(stderr).toContain(problem)
  })

  it('says what a folder in the layout of a model hub is', async () => {
    const path = await hubFolder({ model_type: 'owlv2' })

    const { code, stderr } = await runMain('teacher', 'inspect', path)

    expect(code).toBe(65)
    expect(stderr).toMatch(
      /model hub \(config.json, .*onnx\) and holds a model of type "owlv2", which/,
    )
  })

  it('refuses a file that is no folder, and names the models there are', async () => {
    const { code, stderr } = await runMain('teacher', 'inspect', join(TOY, 'vocab.txt'))

    expect(code).toBe(2)
    expect(stderr).toMatch(/vocab.txt is neither a folder with a teacher.json nor .*glip-nano/)
  })
})

describe('teacher add', () => {
  it('makes a model known by name', async () => {
    const added = await runMain('teacher', 'add', TOY, '--id', 'colours')
    const inspected = await runMain('teacher', 'inspect', 'colours', '--json')

    expect(added).toMatchObject({ code: 0, stdout: `colours is now ${join(models, 'colours')}\n` })
    expect(JSON.parse(inspected.stdout)).toMatchObject({ description: { id: 'toy' }, problems: [] })
    expect(await readdir(models)).toEqual(['colours'])
  })

  it('does not replace a model', async () => {
    await runMain('teacher', 'add', TOY)

    const again = await runMain('teacher', 'add', TOY)
    const bundled = await runMain('teacher', 'add', TOY, '--id', 'glip-nano')

    expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/--id: toy is taken by/) })
    expect(bundled).toMatchObject({ code: 2, stderr: expect.stringMatching(/\(bundled\)/) })
  })

  it.each(['../toy', '.toy', 'a/b', ''])('refuses the name %j', async (id) => {
    const { code, stderr } = await runMain('teacher', 'add', TOY, '--id', id)

    expect(code).toBe(2)
    expect(stderr).toMatch(/--id: ".*" cannot name a model/)
    expect(existsSync(models)).toBe(false)
  })

  it('leaves nothing of a model that cannot be run', async () => {
    const path = await toyCopy()
    await truncate(join(path, 'model.onnx'), 1500)
    await rehash(path)

    const { code, stderr } = await runMain('teacher', 'add', path)

    expect(code).toBe(65)
    expect(stderr).toMatch(/model.onnx cannot be run/)
    expect(existsSync(models)).toBe(false)
  })
})

describe('teacher bench', () => {
  it('measures the bare graph and the whole teacher', { tags: 'long' }, async () => {
    const { code, stdout } = await runMain(
      ...['teacher', 'bench', TOY, '--json', '--provider', 'cpu', '--threads', '1'],
      ...['--seconds', '1'],
    )

    expect(code).toBe(0)
    const result = JSON.parse(stdout) as {
      rounds: number
      ratio: number
      imagesPerSecond: Record<string, number>
      stageMs: Record<string, number>
    }
    expect(result.rounds).toBeGreaterThanOrEqual(3)
    expect(result.ratio).toBeGreaterThan(0)
    expect(Object.keys(result.imagesPerSecond)).toEqual(['graph', 'teacher'])
    expect(Object.keys(result.stageMs)).toEqual([
      ...['decode', 'prompt', 'resize', 'feeds', 'graph', 'boxes'],
    ])
    for (const ms of Object.values(result.stageMs)) expect(ms).toBeGreaterThan(0)
  })

  it('refuses a provider that does not exist', async () => {
    const { code, stderr } = await runMain('teacher', 'bench', TOY, '--provider', 'gpu')

    expect(code).toBe(2)
    expect(stderr).toMatch(/'gpu' is invalid.*cpu, cuda/)
  })
})

describe('teacher pull', () => {
  it('is not available yet', async () => {
    const { code, stderr } = await runMain('teacher', 'pull', 'someone/glip', '--force')

    expect(code).toBe(2)
    expect(stderr).toMatch(/teacher pull" is not available yet/)
  })
})
