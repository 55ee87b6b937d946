import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/core/errors.ts'
import { readModelFolder } from '../../src/teacher/model-folder.ts'
import { hubFolder, readToy, rehash, TOY, toyCopy } from './toy.ts'

async function problemOf(path: string): Promise<string> {
  const error: unknown = await readModelFolder(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(InputError)
  return (error as InputError).message.replaceAll(path, '')
}

describe('readModelFolder', () => {
  it('reads the description, the vocabulary and the hash of teacher.json', async () => {
    const { description, sha256 } = await readModelFolder(TOY)
    const { tokenizer } = await readToy()

    const json = await readFile(join(TOY, 'teacher.json'))
    expect(description).toEqual(JSON.parse(json.toString()))
    expect(tokenizer.encode('Red dots').ids).toEqual([12, 10, 11])
    expect(sha256).toBe(createHash('sha256').update(json).digest('hex'))
  })

  it.each(['model.onnx', 'vocab.txt'])('refuses a folder without %s', async (name) => {
    const path = await toyCopy()
    await rm(join(path, name))

    expect(await problemOf(path)).toMatch(new RegExp(`^/${name} is missing .*copy the model`))
  })

  it('refuses a truncated file', async () => {
    const path = await toyCopy()
    await truncate(join(path, 'model.onnx'), 1000)

    expect(await problemOf(path)).toBe(
      '/model.onnx has 1000 bytes, teacher.json says 2133; copy the model folder again',
    )
  })

  it('refuses a file with other bytes', async () => {
    const path = await toyCopy()
    const file = join(path, 'model.onnx')
    const bytes = await readFile(file)
    bytes[500]! ^= 1
    await writeFile(file, bytes)

    expect(await problemOf(path)).toMatch(
      /^\/model.onnx has sha256 [0-9a-f]{64}, teacher.json says [0-9a-f]{64}; copy/,
    )
  })

  it('refuses a vocabulary that lacks a special token', async () => {
    const path = await toyCopy()
    await writeFile(join(path, 'vocab.txt'), 'a\nred\n')
    await rehash(path)

    expect(await problemOf(path)).toBe('/vocab.txt: the vocabulary has no [PAD] line')
  })

  it.each<[string, (json: Record<string, unknown>) => void, RegExp]>([
    ['a newer format', (json) => (json['formatVersion'] = 2), /has formatVersion 2; this version/],
    ['another architecture', (json) => (json['architecture'] = 'dino'), /architecture: .*"glip"/],
    ['a missing section', (json) => delete json['anchors'], /anchors: /],
    ['no graph', (json) => delete (json['files'] as object)['model.onnx' as never], /model\.onnx/],
    [
      'a file outside the folder',
      (json) => Object.assign(json['files'] as object, { '../../etc/passwd': {} }),
      /files.*etc\/passwd: Invalid key/,
    ],
    [
      'fewer anchor sizes than strides',
      (json) => (json['anchors'] = { strides: [8, 16], sizes: [64] }),
      /anchors: one size per stride/,
    ],
    [
      'a padding that is no multiple of the strides',
      (json) => Object.assign(json['image'] as object, { padMultiple: 20 }),
      /padMultiple: must be a multiple/,
    ],
  ])('refuses %s', async (_, change, message) => {
    expect(await problemOf(await toyCopy(change))).toMatch(message)
  })

  it('refuses a teacher.json that is no JSON, or not there', async () => {
    const path = await toyCopy()
    await appendFile(join(path, 'teacher.json'), '}')
    expect(await problemOf(path)).toMatch(/^\/teacher.json is not JSON: /)

    await rm(join(path, 'teacher.json'))
    expect(await problemOf(path)).toMatch(/^\/teacher.json cannot be read .*is {2}a model folder\?/)
  })

  it.each<[string, unknown, RegExp]>([
    [
      'whose type it names',
      { model_type: 'grounding-dino' },
      /holds a model of type "grounding-dino"/,
    ],
    ['of no known type', [], /holds a model of unknown type/],
  ])('says what a folder in the layout of a model hub is: %s', async (_, config, message) => {
    const problem = await problemOf(await hubFolder(config))

    expect(problem).toMatch(
      /^ is laid out like a repository of a model hub \(config.json, preprocessor_config.json, tokenizer.json, onnx\)/,
    )
    expect(problem).toMatch(message)
    expect(problem).toMatch(/this version of groundmill cannot run; it runs .* glip, /)
  })
})
