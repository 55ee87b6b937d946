import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/core/errors.ts'
import type { SourceFormat } from '../../../src/ingest/source/formats/format.ts'
import { sourceOptionsSchema } from '../../../src/ingest/source/options.ts'
import { resolveColumns } from '../../../src/ingest/source/resolve-columns.ts'
import { failure, memoryFiles, type SourceConfig } from '../../helpers/sources.ts'

type Type = Parameters<typeof resolveColumns>[0]['type']

/** Files by name with their columns; undefined: cannot be read. */
function resolve(
  files: Readonly<Record<string, readonly string[] | undefined>>,
  config: SourceConfig = {},
  type: Type = 'parquet',
) {
  const format: Pick<SourceFormat, 'columns'> = {
    columns: async ({ path }) => {
      const columns = files[path]
      if (columns === undefined) throw new InputError(`${path}: damaged`)
      return columns
    },
  }
  const options = { ...sourceOptionsSchema.parse(config), type }
  const memory = memoryFiles({})
  const named = Object.keys(files).map((path) => memory.file(path))
  return resolveColumns(options, format as SourceFormat, named) // no rows are read
}

describe('resolveColumns', () => {
  it('finds columns by their usual names', async () => {
    expect(await resolve({ a: ['id', 'URL', 'TEXT'] })).toEqual({
      url: 'URL',
      caption: 'TEXT',
      keep: [],
    })
    expect(await resolve({ a: ['file_name', 'text'] })).toEqual({
      image: 'file_name',
      caption: 'text',
      keep: [],
    })
  })

  it('takes what is named, inside a column too', async () => {
    const columns = { url: 'u', caption: 'c.en', phrases: 'p', status: 's', keep: ['k.x'] }

    expect(await resolve({ a: ['u', 'c', 'p', 's', 'k'] }, { columns })).toEqual(columns)
  })

  it('asks the first file that can be read and has rows', async () => {
    expect(await resolve({ a: undefined, b: [], c: ['url', 'caption'] })).toMatchObject({
      url: 'url',
    })
    expect(await failure(resolve({ a: undefined }))).toBe('InputError: a: damaged')
    expect(await failure(resolve({}))).toBe('InputError: source.files: no file can be read')
  })

  it.each<[readonly string[], SourceConfig, string]>([
    [
      ['url', 'caption'],
      { columns: { caption: 'captoin' } },
      'source.columns.caption: a has no column "captoin", but url, caption; did you mean "caption"?',
    ],
    [
      ['url', 'caption'],
      { columns: { keep: ['zzzzzz'] } },
      'source.columns.keep: a has no column "zzzzzz", but url, caption',
    ],
    [
      ['url', 'caption'],
      { allowList: { column: 'sha256', files: 'x.txt' } },
      'source.allowList.column: a has no column "sha256", but url, caption',
    ],
    [['url', 'URL', 'caption'], {}, 'source.columns.url: a has url and URL; say which one it is'],
    [
      ['url', 'image', 'caption'],
      {},
      'source.columns: a has url and image; set url, image or both',
    ],
    [['url', 'x'], {}, 'source.columns.caption is not set; a has the columns url, x'],
    [['caption'], {}, 'source.columns.url (or image) is not set; a has the columns caption'],
    [[], {}, 'source.columns.caption is not set; a has no rows'],
    [[], { columns: { url: 'u' } }, 'source.columns.url: a has no column "u", it has no rows'],
  ])('of %j with %j', async (columns, config, message) => {
    expect(await failure(resolve({ a: columns }, config))).toBe(`ConfigError: ${message}`)
  })

  it('takes the image of a tar without looking for it, and txt before other captions', async () => {
    expect(await resolve({ a: ['json', 'txt', 'caption'] }, {}, 'webdataset')).toEqual({
      image: 'image',
      caption: 'txt',
      keep: [],
    })
  })

  it('lets rows of JSON Lines and tars have what the first has not', async () => {
    const config = { columns: { url: 'u', caption: 'c' } }

    for (const type of ['jsonl', 'webdataset', 'img2dataset'] as const) {
      expect(await resolve({ a: ['x'] }, config, type)).toMatchObject({ url: 'u', caption: 'c' })
    }
  })
})
