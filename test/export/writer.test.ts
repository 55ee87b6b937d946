import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError } from '../../src/core/errors.ts'
import { commonOptions } from '../../src/export/options.ts'
import { OutputFolder } from '../../src/export/output-files.ts'
import { defineFormat, type WriterContext } from '../../src/export/writer.ts'

const { images, categories } = commonOptions

function newFormat() {
  const made: unknown[] = []
  const format = defineFormat({
    name: 'toy',
    description: 'a toy',
    options: { images, categories, rows: z.int().min(1).default(10) },
    needsCategories: ({ rows }) => rows > 10,
    needsImages: false,
    createWriter(context, options) {
      made.push({ dialect: context.dialect, options })
      const nothing = () => Promise.resolve()
      return { beginShard: nothing, write: nothing, close: nothing }
    },
  })
  return { format, made }
}

const context: WriterContext = {
  folder: new OutputFolder('/nowhere'),
  manifest: {
    ...{ formatVersion: 1, runId: 'a', config: {}, versions: {}, plan: { shards: 1, rows: 1 } },
    identity: { config: {}, source: {}, teacher: {} },
    teacher: { id: 'toy', sha256: '', defaultScore: 0.5 },
  },
  categories: [],
  dialect: 'large',
}

describe('defineFormat', () => {
  it('gives the writer its own options alone, with defaults', () => {
    const { format, made } = newFormat()

    const { createWriter } = format.configure({ rows: 12, layout: 'sharded', variant: 'x' })
    createWriter(context)

    expect(made).toEqual([
      {
        dialect: 'large',
        options: { images: 'copy', categories: { by: 'head', list: [] }, rows: 12 },
      },
    ])
  })

  it('asks the options whether it needs categories', () => {
    const { format } = newFormat()

    expect(format.configure({}).needsCategories).toBe(false)
    expect(format.configure({ rows: 11 }).needsCategories).toBe(true)
  })

  it('has the common options that it lacks at their defaults, whatever a recipe says', () => {
    const { options } = newFormat().format.configure({ images: 'none', boxSupervision: false })

    expect(options).toMatchObject({ images: 'none', boxSupervision: true, layout: 'merged' })
  })

  it('names the option whose value it cannot take', () => {
    const { format } = newFormat()

    expect(() => format.configure({ rows: 0 })).toThrow(ConfigError)
    expect(() => format.configure({ rows: 0 })).toThrow(/^export of toy: [^]*rows/)
  })

  it('has no dialects unless it says so', () => {
    expect(newFormat().format.dialects).toEqual([])
  })
})
