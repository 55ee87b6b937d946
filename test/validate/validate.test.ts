// How files are found, and what the format's validator is given; its judgement is its own tests'.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileFinding } from '../../src/validate/findings.ts'
import { validate, type ValidateRequest } from '../../src/validate/validate.ts'
import type { ValidatedFormat, ValidatorInput } from '../../src/validate/validator.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const readTokenizer = () => Promise.reject(new Error('not asked for'))

/** Validates a folder of these files (or one of them) for a format that notes what it is given. */
async function run(
  files: Readonly<Record<string, string>>,
  over: Partial<Omit<ValidateRequest, 'format'>> & { readonly of?: string } = {},
  findings: readonly FileFinding[] = [],
) {
  const folder = await temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await fs.writeFile(path.join(folder, name), text)
  }
  let given: ValidatorInput | undefined
  const format: ValidatedFormat = {
    name: 'toy',
    dialects: ['small', 'large'],
    validator: {
      ending: '.toy',
      isAnnotationFile: (name) => /\.(toy|json|jsonl)$/.test(name),
      options: [],
      check: (input) => {
        given = input
        return Promise.resolve({ records: 3, findings })
      },
    },
  }
  const { of = '', ...request } = over
  const target = path.join(folder, of)
  const report = await validate({ target, format, options: {}, readTokenizer, ...request })
  return { folder, report, given: given! }
}

const finding = (level: FileFinding['level']): FileFinding => ({
  ...{ code: 'a', level, effect: 'crash', loader: '', advice: '', count: 1, places: [] },
})

describe('validate', () => {
  it('takes the annotation files of a folder and of its annotations/, sorted', async () => {
    const { folder, report, given } = await run({
      'b.toy': '',
      'annotations/00001.toy': '',
      'annotations/00000.toy': '',
      'images/c.toy': '',
      'a.txt': '',
      'dropped.jsonl': '',
      'label_map.json': '',
    })

    expect(given.files).toEqual(['annotations/00000.toy', 'annotations/00001.toy', 'b.toy'])
    expect(given).toMatchObject({ root: folder, isFolder: true })
    expect(report).toEqual({
      ...{ target: folder, format: 'toy', dialect: 'small', files: 3, records: 3 },
      ...{ findings: [], isUsable: true },
    })
  })

  it('takes a single file whatever its name is', async () => {
    const { folder, given } = await run({ 'a.txt': '' }, { of: 'a.txt' })

    expect(given).toMatchObject({ root: folder, isFolder: false, files: ['a.txt'] })
  })

  it('judges for the dialect that is asked for, else of the export, else the first', async () => {
    const record = JSON.stringify({ format: 'toy', dialect: 'large' })
    const other = JSON.stringify({ format: 'toy', dialect: 'huge' })
    const dialectOf = async (text: string, dialect?: string) =>
      (await run({ 'a.toy': '', 'export.json': text }, { dialect })).report.dialect

    expect(await dialectOf(record)).toBe('large')
    expect(await dialectOf(record, 'small')).toBe('small')
    expect(await dialectOf(other)).toBe('small')
    expect(await dialectOf('{"no": "record"}')).toBe('small')
    expect(await dialectOf('no JSON')).toBe('small')
  })

  it('hands on options and calls a report with an error not usable', async () => {
    const over = { options: { 'label-map': 'a' } }

    const bad = await run({ 'a.toy': '' }, over, [finding('warning'), finding('error')])
    const odd = await run({ 'a.toy': '' }, over, [finding('warning')])

    expect(bad.given.options).toEqual({ 'label-map': 'a' })
    expect(bad.report.isUsable).toBe(false)
    expect(odd.report.isUsable).toBe(true)
  })

  it('refuses an export of another format, an empty folder, and nothing', async () => {
    await expect(run({ 'a.toy': '', 'export.json': '{"format":"coco"}' })).rejects.toThrow(
      'is an export with --format coco, not toy',
    )
    await expect(run({ 'a.txt': '' })).rejects.toThrow('no .toy file in it or in its annotations/')
    await expect(run({}, { of: 'no' })).rejects.toThrow('ENOENT')
  })
})
