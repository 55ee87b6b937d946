// What every format of the list does; its own bytes are its own test's.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  EXPORT_FORMATS,
  exportSectionSchema,
  refuseForeignOptions,
  sectionSchemaOf,
} from '../../../src/export/formats/index.ts'
import { commonOptions, commonOptionsSchema } from '../../../src/export/options.ts'
import { defineFormat, type ExportFormat } from '../../../src/export/writer.ts'
import { exportTo, filesOf, formatCalled, readJson } from '../../helpers/exports.ts'
import { fingerprint } from '../../helpers/groundmill.ts'
import { makeRow, makeRun } from '../../helpers/runs.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const ROWS = Array.from({ length: 12 }, (_, row) =>
  makeRow({
    row,
    caption: `a 🐕 dog, kite ${row}`,
    phrases: ['a 🐕 dog/dog', 'kite'],
    boxes: [
      ['a 🐕 dog', row === 5 ? 0.1 : 0.9, row, 0, row + 50, 60],
      ['kite', row === 5 ? 0.1 : 0.6, 100, row, 160, row + 40],
    ],
  }),
)

async function newRun() {
  const folder = await temporaryFolder()
  const images = (row: { readonly key: string }) => Buffer.from(`image ${row.key}`)
  return { folder, runDir: await makeRun(folder, { rows: ROWS, samplesPerShard: 4, images }) }
}

const own = (name: string, extra: Readonly<Record<string, z.ZodType>> = {}): ExportFormat =>
  defineFormat({
    name,
    description: `${name} files`,
    options: { ...commonOptions, ...extra },
    needsCategories: () => false,
    needsImages: false,
    createWriter: () => ({
      beginShard: () => Promise.resolve(),
      write: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
  })

describe.each(EXPORT_FORMATS)('$name', (format) => {
  it('says in one line what it is', () => {
    expect(format.description).toMatch(/^.{10,90}$/)
    expect(EXPORT_FORMATS.filter(({ name }) => name === format.name)).toEqual([format])
  })

  it('takes the defaults of its options, and no value that they cannot have', () => {
    expect(format.configure({}).options).toEqual(commonOptionsSchema.parse({}))
    expect(() => format.configure({ layout: 'folded' })).toThrow(`export of ${format.name}: `)
  })

  it('gives the same bytes each time, also in shards', async () => {
    const { folder, runDir } = await newRun()
    for (const layout of ['merged', 'sharded']) {
      const options = { layout, images: 'copy' }
      const to = (name: string) => path.join(folder, `${layout}-${name}`)
      const { counts } = await exportTo(runDir, to('a'), { format: format.name, options })
      await exportTo(runDir, to('b'), { format: format.name, options })

      expect(await fingerprint(to('a'))).toEqual(await fingerprint(to('b')))
      expect(counts).toMatchObject({ rows: 12, samples: 11, droppedSamples: { too_few_boxes: 1 } })
      const annotations = (await filesOf(to('a'))).filter((name) => name.startsWith('annotations/'))
      expect(annotations).toHaveLength(layout === 'sharded' ? 3 : 0)
      // Not that of the dropped row 5.
      const images = (await filesOf(path.join(to('a'), 'images'))).sort()
      expect(images).toHaveLength(11)
      expect(images).not.toContain('00001/0000100001.jpg')
    }
  })

  it('records what it is', async () => {
    const { folder, runDir } = await newRun()
    const to = path.join(folder, 'to')
    await exportTo(runDir, to, { format: format.name })

    expect(await readJson(to, 'export.json')).toMatchObject({ format: format.name })
    expect((await readJson(to, 'export.json'))['dialect']).toBe(format.dialects[0])
  })

  if (format.validator !== undefined) {
    it('takes its own files for annotations', async () => {
      const { folder, runDir } = await newRun()
      const to = path.join(folder, 'to')
      await exportTo(runDir, to, { format: format.name })

      const names = (await filesOf(to)).filter((name) => format.validator!.isAnnotationFile(name))
      expect(names.some((name) => name.startsWith('annotations'))).toBe(true)
      expect(names.every((name) => name.endsWith(format.validator!.ending))).toBe(true)
    })
  }
})

describe('the export: section', () => {
  it('keeps the order of its keys, which is that of export.json; new ones come behind', () => {
    expect(Object.keys(exportSectionSchema.parse({})).slice(0, 6)).toEqual([
      'layout',
      'images',
      'categories',
      'variant',
      'negatives',
      'boxSupervision',
    ])
  })

  it('refuses a key that no format has', () => {
    expect(exportSectionSchema.safeParse({ rows: 1 }).success).toBe(false)
    expect(sectionSchemaOf([own('toy', { rows: z.int() })]).safeParse({ rows: 1 }).success).toBe(
      true,
    )
  })

  it('has one meaning per key', () => {
    const rows = z.int()

    expect(() => sectionSchemaOf([own('a', { rows }), own('b', { rows })])).not.toThrow()
    expect(() => sectionSchemaOf([own('a', { rows }), own('b', { rows: z.string() })])).toThrow(
      'export.rows has two meanings',
    )
  })
})

describe('refuseForeignOptions', () => {
  it('names the key and the formats that have it', () => {
    const rows = z.int()
    const formats = [own('a', { rows }), own('b', { rows }), own('c')]

    expect(() => {
      refuseForeignOptions(formats[2]!, ['images', 'rows'], formats)
    }).toThrow('export.rows is an option of --format a, b, not of c')
    expect(() => {
      refuseForeignOptions(formats[0]!, ['images', 'rows'], formats)
    }).not.toThrow()
    expect(() => {
      refuseForeignOptions(formatCalled('goldg'), ['variant'])
    }).toThrow('of --format odvg, not of goldg')
  })
})

describe('a format that is not in the list', () => {
  /** One file per shard: of each sample its caption and its image. */
  const boxed = defineFormat({
    name: 'boxed',
    description: 'captions and images in one file per shard',
    options: { mark: z.string().default('-') },
    needsCategories: () => false,
    needsImages: true,
    createWriter({ folder }, { mark }) {
      let file: Awaited<ReturnType<typeof folder.create>> | undefined
      const end = async () => {
        if (file !== undefined) await folder.finish(file)
      }
      return {
        async beginShard(id) {
          await end()
          file = await folder.create(`${id}.bin`)
        },
        async write({ caption, fileName }, readImage) {
          await file!.write(`${mark}${caption} ${fileName} `)
          if (!caption.endsWith('kite 1')) await file!.write(await readImage())
        },
        close: end,
      }
    },
  })

  it('gets image bytes and writes bytes, with options of its own', async () => {
    const { folder, runDir } = await newRun()
    const to = path.join(folder, 'to')

    const { files } = await exportTo(runDir, to, { format: boxed })

    expect(Object.keys(files)).toEqual(['0.bin', '1.bin', '2.bin', 'dropped.jsonl'])
    expect(await filesOf(to)).toEqual([...Object.keys(files), 'export.json'])
    expect(await fs.readFile(path.join(to, '0.bin'), 'utf8')).toBe(
      '-a 🐕 dog, kite 0 00000/0000000000.jpg image 0000000000' +
        '-a 🐕 dog, kite 1 00000/0000000001.jpg ' +
        '-a 🐕 dog, kite 2 00000/0000000002.jpg image 0000000002' +
        '-a 🐕 dog, kite 3 00000/0000000003.jpg image 0000000003',
    )
  })
})
