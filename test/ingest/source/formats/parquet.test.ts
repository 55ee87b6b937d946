import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parquetMetadata } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPython, runPython } from '../../../helpers/python.ts'
import { codesOf, failure, open, readSource, rowsOf } from '../../../helpers/sources.ts'

const python = findPython('pyarrow')

interface Written {
  readonly files: readonly string[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

describe.skipIf(python === undefined)('Parquet files written by pyarrow', () => {
  let folder = ''
  let written: Written = { files: [], rows: [] }

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-parquet-'))
    written = JSON.parse(
      await runPython(python!, 'test/ingest/source/write_parquet.py', folder),
    ) as Written
  })
  afterAll(() => fs.rm(folder, { recursive: true, force: true }))

  it(
    'gives the same rows for every codec, page version and encoding',
    { tags: 'long' },
    async () => {
      expect(written.files).toHaveLength(24)
      const keep = Object.keys(written.rows[0]!)
      for (const name of written.files) {
        const items = await readSource({
          files: path.join(folder, name),
          columns: { url: 'url', caption: 'caption', keep },
        })

        expect(items, name).toEqual(
          written.rows.map((row, index) => ({
            row: index,
            image: { kind: 'url', url: row['url'] },
            caption: row['caption'],
            extra: row,
          })),
        )
      }
    },
  )

  it('takes supplied phrases, embedded images and a caption out of a list', async () => {
    const file = path.join(folder, 'snappy-1.0-dictionary.parquet')

    const items = await readSource({
      files: file,
      columns: { image: 'image', caption: 'captions', phrases: 'noun_chunks' },
      captionIndex: 1,
    })

    expect(codesOf(items).slice(0, 3)).toEqual(['caption_missing', 'caption_missing', 'ok'])
    expect(items[2]).toEqual({
      row: 2,
      image: { kind: 'bytes', bytes: new Uint8Array([255, 216, 255, 2, 0]), name: '2.jpg' },
      caption: 'caption 2.1',
      supplied: [
        { start: 0, end: 5 },
        { start: 0, end: 5 },
      ],
    })
    expect(items[5]).toMatchObject({ caption: 'caption 5.1', supplied: [] })
  })

  it('numbers the rows of several files through, in the order of their names', async () => {
    const items = await readSource({ files: `${folder}/zstd-*.parquet`, columns: { url: 'url' } })

    expect(rowsOf(items)).toHaveLength(4 * 23)
    expect(rowsOf(items)[23]).toMatchObject({ row: 23, caption: 'a 🐕 dog number 0' })
  })

  it('loses only a broken row group, and says which and where', async () => {
    const file = path.join(folder, 'broken.parquet')
    const bytes = await fs.readFile(path.join(folder, 'zstd-1.0-plain.parquet'))
    const { row_groups: groups } = parquetMetadata(new Uint8Array(bytes).buffer)
    const caption = groups[1]!.columns
      .map(({ meta_data: chunk }) => chunk!)
      .find(({ path_in_schema: name }) => name[0] === 'caption')!
    const start = Number(caption.data_page_offset)
    bytes.fill(0xee, start, start + Number(caption.total_compressed_size))
    await fs.writeFile(file, bytes)

    const items = await readSource({ files: file, columns: { url: 'url', caption: 'caption' } })

    expect(codesOf(items)).toEqual([
      ...Array<string>(10).fill('ok'),
      ...Array<string>(10).fill('source_damaged'),
      ...Array<string>(3).fill('ok'),
    ])
    const where = `broken.parquet row group 1, column caption at byte ${start}: `
    expect(items[10]).toMatchObject({ detail: expect.stringContaining(where) })
  })

  it('reads the other files beside a truncated one, which is one rejected row', async () => {
    const whole = path.join(folder, 'none-1.0-plain.parquet')
    const cut = path.join(folder, 'cut.parquet')
    await fs.writeFile(cut, (await fs.readFile(whole)).subarray(0, 3000))
    const columns = { url: 'url', caption: 'caption' }

    const items = await readSource({ files: [cut, whole], columns })

    expect(codesOf(items)).toEqual(['source_damaged', ...Array<string>(23).fill('ok')])
    expect(items[0]).toMatchObject({
      detail: expect.stringMatching(/cut\.parquet: no Parquet file, or cut: .* PAR1/),
    })
    expect(await failure(open({ files: cut, columns }))).toMatch(/^InputError: .*cut\.parquet: /)
  })

  it('names the columns that exist and the nearest to a missing one', async () => {
    const message = await failure(
      open({ files: `${folder}/none-1.0-plain.parquet`, columns: { url: 'ulr' } }),
    )

    expect(message).toMatch(/^ConfigError: source\.columns\.url: .* has no column "ulr"/)
    expect(message).toMatch(/but id, url, caption, .*; did you mean "url"\?$/)
  })

  it('rejects values of the wrong type, row by row', async () => {
    const items = await readSource({
      files: `${folder}/none-1.0-plain.parquet`,
      columns: { url: 'url', caption: 'small' },
    })

    expect(codesOf(items)).toEqual(Array<string>(23).fill('row_malformed'))
    expect(items[3]).toEqual({
      row: 3,
      code: 'row_malformed',
      detail: 'column small is a number, not text',
      url: 'https://example.org/3.jpg',
    })
  })

  it('survives any corrupted byte: every row is read or rejected', async () => {
    const bytes = await fs.readFile(path.join(folder, 'snappy-1.0-dictionary.parquet'))
    const file = path.join(folder, 'mutated.parquet')
    const columns = { url: 'url', caption: 'caption', keep: ['noun_chunks', 'image', 'void'] }
    for (let n = 0; n < 60; n++) {
      const mutated = Buffer.from(bytes)
      const at = Math.floor(((n * 0.618) % 1) * bytes.length)
      mutated[at] = mutated[at]! ^ (1 << (n % 8)) ^ 0x80
      await fs.writeFile(file, mutated)
      try {
        await readSource({ files: file, columns }, [10])
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(Error)
        expect((error as Error).name, `byte ${at}: ${String(error)}`).toMatch(
          /^(InputError|ConfigError)$/,
        )
      }
    }
  })
})

it('says what to do about pages that it cannot read', async () => {
  const file = 'test/fixtures/sources/nested-page-v2.parquet'
  const columns = { url: 'url', caption: 'caption' }

  const items = await readSource({ files: file, columns: { ...columns, phrases: 'boxes' } })

  expect(codesOf(items)).toEqual(Array<string>(21).fill('source_damaged'))
  expect(items[0]).toMatchObject({
    detail: expect.stringMatching(
      /row group 0, column boxes at byte \d+: .*data_page_version 1\.0/,
    ),
  })
  expect(rowsOf(await readSource({ files: file, columns }))).toHaveLength(21)
})
