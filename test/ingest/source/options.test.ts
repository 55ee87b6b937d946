import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config.ts'
import { ConfigError } from '../../../src/core/errors.ts'
import {
  presets,
  sourceOptionsSchema,
  sourceVolatile,
  type Preset,
} from '../../../src/ingest/source/options.ts'

describe('sourceOptionsSchema', () => {
  it('fills in defaults, nested ones too', () => {
    expect(sourceOptionsSchema.parse({ columns: { url: 'u' } })).toEqual({
      files: [],
      s3: { forcePathStyle: false, anonymous: false },
      columns: { url: 'u', keep: [] },
      captionIndex: 0,
      phraseUnits: 'codePoints',
      maxRowBytes: 1_048_576,
      maxImageBytes: 67_108_864,
    })
  })

  it('takes one file for a list of one', () => {
    const { files, allowList } = sourceOptionsSchema.parse({
      files: 'a.tsv',
      allowList: { column: 'uid', files: 'ids.npy' },
    })

    expect(files).toEqual(['a.tsv'])
    expect(allowList?.files).toEqual(['ids.npy'])
  })

  it('has every option that its identity has in another way', () => {
    const keys = Object.keys(sourceOptionsSchema.shape)

    expect(keys).toEqual(expect.arrayContaining([...sourceVolatile]))
  })

  it.each([
    ['preset=laion5b', /source\.preset: .*"laion"/],
    ['type=xml', /source\.type: .*"parquet".*given: "xml"/],
    ['files=[""]', /source\.files/],
    ['s3.endpoint=minio:9000', /source\.s3\.endpoint: /],
    [
      's3.endpoint=http://key:secret@minio:9000',
      /source\.s3\.endpoint: must be a host with its port, without credentials/,
    ],
    ['columns.url=""', /source\.columns\.url: /],
    ['allowList={ column: uid, files: [] }', /source\.allowList\.files/],
    ['captionIndex=-1', /source\.captionIndex: /],
    ['maxRowBytes=1023', /source\.maxRowBytes: .*1024; given: 1023/],
    ['maxImageBytes=2147483649', /source\.maxImageBytes: .*2147483648/],
    ['phraseUnits=bytes', /source\.phraseUnits: .*"codePoints".*"utf16"/],
  ])('refuses %s and says why', async (setting, message) => {
    const loading = loadConfig(undefined, [`source.${setting}`])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})

describe('presets', () => {
  it.each<[string, Preset]>(Object.entries(presets))(
    '%s says of what kind its files are, and which columns hold captions and images',
    (_, { type, columns, columnNames }) => {
      expect(type).toBeDefined()
      expect(columns.caption).toBeDefined()
      expect([columns.url, columns.image].filter(Boolean)).toHaveLength(1)
      if (columnNames !== undefined) {
        expect(columnNames).toEqual(expect.arrayContaining([columns.url, columns.caption]))
      }
    },
  )
})
