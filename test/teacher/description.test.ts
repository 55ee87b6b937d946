import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { commonFields, filesSchema } from '../../src/teacher/description.ts'

const SHA256 = '0123456789abcdef'.repeat(4)
const FILE = { size: 0, sha256: SHA256 }
const COMMON = {
  formatVersion: 1,
  id: 'owl',
  variant: 'tiny',
  precision: 'fp16',
  raw: false,
  defaultScore: 1,
  licence: '',
  provenance: { checkpoint: 'owl.pt' },
}

/** "path: message" of each problem. */
function problemsOf(schema: z.ZodType, value: unknown): string[] {
  const issues = schema.safeParse(value).error?.issues ?? []
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('filesSchema', () => {
  it('takes what is listed beside the required files', () => {
    const files = { 'model.onnx': FILE, 'merges-2.txt': { ...FILE, size: 5 }, _x: FILE }

    expect(filesSchema('model.onnx').parse(files)).toEqual(files)
    expect(filesSchema().parse({})).toEqual({})
  })

  it('names each file that must be listed', () => {
    expect(problemsOf(filesSchema('model.onnx', 'vocab.txt'), { 'a.txt': FILE })).toEqual([
      ': must list model.onnx',
      ': must list vocab.txt',
    ])
  })

  it.each(['', '.', '..', '.env', '../vocab.txt', 'onnx/model.onnx', '/etc/passwd', 'a\n'])(
    'refuses the name %j',
    (name) => {
      expect(problemsOf(filesSchema(), { [name]: FILE })).toEqual([
        `${name}: Invalid key in record`,
      ])
    },
  )

  it.each([
    [
      'a hash in capitals',
      { ...FILE, sha256: SHA256.toUpperCase() },
      'a.sha256: must be 64 hex digits',
    ],
    ['a short hash', { ...FILE, sha256: SHA256.slice(1) }, 'a.sha256: must be 64 hex digits'],
    ['a negative size', { ...FILE, size: -1 }, /^a\.size: .*>=0/],
    ['half a byte', { ...FILE, size: 0.5 }, /^a\.size: .*int/],
  ])('refuses %s', (_, file, problem) => {
    expect(problemsOf(filesSchema(), { a: file })).toEqual([expect.stringMatching(problem)])
  })
})

describe('commonFields', () => {
  const schema = z.object(commonFields)

  it('take a description', () => {
    expect(schema.parse(COMMON)).toEqual(COMMON)
  })

  it.each([
    ['formatVersion', 2],
    ['id', ''],
    ['variant', undefined],
    ['precision', 'fp64'],
    ['raw', 'no'],
    ['defaultScore', 1.01],
    ['defaultScore', -0.01],
    ['licence', null],
    ['provenance', { epochs: 12 }],
  ])('refuse %s: %j', (field, value) => {
    const problems = problemsOf(schema, { ...COMMON, [field]: value })

    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${field}\\b`))])
  })
})
