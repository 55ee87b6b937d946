import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPython, runPython } from '../../../helpers/python.ts'
import {
  codesOf,
  failure,
  open,
  readSource,
  rowsOf,
  type Item,
  type SourceConfig,
} from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const python = findPython('pandas')

describe.skipIf(python === undefined)('text written by Python', () => {
  let folder = ''
  let written: { url: string; caption: string; id: number }[] = []

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-text-'))
    const printed = await runPython(python!, 'test/ingest/source/write_text.py', folder)
    written = JSON.parse(printed) as typeof written
  })
  afterAll(() => fs.rm(folder, { recursive: true, force: true }))

  it.each(['pandas.csv', 'packed.csv.gz', 'excel.csv'])('reads %s', async (name) => {
    const items = await readSource({ files: path.join(folder, name), columns: { keep: ['id'] } })

    expect(items).toEqual(
      written.map(({ url, caption, id }, row) => ({
        row,
        image: { kind: 'url', url },
        caption,
        extra: { id: String(id) },
      })),
    )
  })

  it.each(['pandas.jsonl', 'packed.jsonl.gz'])('reads %s', async (name) => {
    const items = await readSource({ files: path.join(folder, name), columns: { keep: ['id'] } })

    expect(items).toEqual(
      written.map(({ url, caption, id }, row) => ({
        row,
        image: { kind: 'url', url },
        caption,
        extra: { id },
      })),
    )
  })

  it('reads a quoted TSV when told so', async () => {
    const items = await readSource({ files: `${folder}/quoted.tsv`, quotes: true })

    expect(rowsOf(items).map(({ caption }) => caption)).toEqual(
      written.map(({ caption }) => caption),
    )
  })
})

/** The rows of one file with this content. */
async function read(
  name: string,
  content: string | Uint8Array,
  config: Omit<SourceConfig, 'files'> = {},
): Promise<Item[]> {
  const file = path.join(await temporaryFolder(), name)
  await fs.writeFile(file, content)
  return readSource({ ...config, files: file })
}

describe('presets of published TSV files', () => {
  it('reads CC3M, caption first', async () => {
    const text = 'a "very" blue sky\thttps://example.org/1.jpg\nit\'s\thttps://example.org/2.jpg\n'

    const items = await read('Train_GCC-training.tsv', text, { preset: 'cc3m' })

    expect(items).toEqual([
      {
        row: 0,
        image: { kind: 'url', url: 'https://example.org/1.jpg' },
        caption: 'a "very" blue sky',
      },
      { row: 1, image: { kind: 'url', url: 'https://example.org/2.jpg' }, caption: "it's" },
    ])
  })

  it('reads CC12M, address first', async () => {
    const items = await read('cc12m.tsv', 'https://example.org/1.jpg\ta blue sky', {
      preset: 'cc12m',
    })

    expect(items).toEqual([
      { row: 0, image: { kind: 'url', url: 'https://example.org/1.jpg' }, caption: 'a blue sky' },
    ])
  })

  it("reads Flickr30k's token file, an image for each of its captions", async () => {
    const text = '1000092795.jpg#0\tTwo young guys .\n1000092795.jpg#1\tTwo men , one "#1" .\n'

    const items = await read('results_20130124.token', text, {
      preset: 'flickr30k',
      imageRoot: '/data/flickr30k',
    })

    expect(rowsOf(items)).toEqual([
      {
        row: 0,
        image: { kind: 'file', path: '/data/flickr30k/1000092795.jpg' },
        caption: 'Two young guys .',
      },
      {
        row: 1,
        image: { kind: 'file', path: '/data/flickr30k/1000092795.jpg' },
        caption: 'Two men , one "#1" .',
      },
    ])
  })
})

const HEAD = 'url,caption\n'
const good = (n: number) => `u${n},caption ${n}\n`

describe('damaged text', () => {
  it('gives up the line of a quote that is not closed, and no other', async () => {
    const items = await read('a.csv', `${HEAD}${good(1)}u2,"never closed\n${good(3)}${good(4)}`)

    expect(codesOf(items)).toEqual(['ok', 'row_malformed', 'ok', 'ok'])
    expect(items[1]).toMatchObject({ detail: expect.stringMatching(/a\.csv at byte 25: a quote/) })
  })

  it('gives up the line of text behind a closing quote', async () => {
    const items = await read('a.csv', `${HEAD}u1,"a"b\n${good(2)}`)

    expect(codesOf(items)).toEqual(['row_malformed', 'ok'])
  })

  it('rejects too few and too many fields, with the place', async () => {
    const items = await read('a.csv', `${HEAD}${good(1)}only one\nu,c,more\n${good(2)}`)

    expect(codesOf(items)).toEqual(['ok', 'row_malformed', 'row_malformed', 'ok'])
    expect(items[2]).toMatchObject({
      detail: expect.stringMatching(/at byte 34: 3 fields; the file has 2 columns$/),
    })
  })

  it('drops a line that is too long without holding it', async () => {
    const long = `u,${'x'.repeat(5_000_000)}\n`

    const items = await read('a.csv', `${HEAD}${good(1)}${long}${good(2)}`, { maxRowBytes: 2000 })

    expect(codesOf(items)).toEqual(['ok', 'row_too_long', 'ok'])
  })

  it('rejects a row that is no UTF-8 or holds NUL, and no other', async () => {
    const bytes = Buffer.concat([
      Buffer.from(HEAD + good(1)),
      Buffer.from([0x75, 0x2c, 0xc3, 0x28, 10]),
      Buffer.from(good(2)),
      Buffer.from('u,a\0b\n'),
      Buffer.from(good(3)),
    ])

    const items = await read('a.csv', bytes)

    expect(codesOf(items)).toEqual(['ok', 'encoding_invalid', 'ok', 'encoding_invalid', 'ok'])
  })

  it('rejects half a surrogate pair that JSON can spell', async () => {
    const items = await read(
      'a.jsonl',
      '{"url":"u","caption":"\\ud83d"}\n{"url":"u","caption":"a"}',
    )

    expect(codesOf(items)).toEqual(['encoding_invalid', 'ok'])
  })

  it('rejects lines that are no JSON object', async () => {
    const items = await read('a.jsonl', '{"url":"u","caption":"a"}\n[1]\n{"url":\nnull\n7\n"x"\n')

    expect(codesOf(items)).toEqual(['ok', ...Array<string>(5).fill('row_malformed')])
    expect(items[2]).toMatchObject({ detail: expect.stringMatching(/at byte 30: not JSON: /) })
  })

  it('rejects values of the wrong type', async () => {
    const items = await read(
      'a.jsonl',
      '{"url":"u","caption":"a"}\n{"url":5,"caption":"a"}\n{"url":"u","caption":{"en":"a"}}\n' +
        '{"url":"u"}\n{"caption":"a"}\n{"url":null,"caption":null}',
    )

    expect(codesOf(items)).toEqual([
      'ok',
      'row_malformed',
      'row_malformed',
      'caption_missing',
      'image_missing',
      'image_missing',
    ])
  })

  it('keeps the rows before the place where a gzip is cut or broken', async () => {
    const text =
      HEAD + Array.from({ length: 20_000 }, (_, n) => `${n * 7919},caption ${n}\n`).join('')
    const packed = gzipSync(text)
    const columns = { url: 'url', caption: 'caption' }

    for (const bytes of [
      packed.subarray(0, packed.length / 2),
      Buffer.concat([packed.subarray(0, packed.length / 2), Buffer.alloc(1000)]),
    ]) {
      const file = path.join(await temporaryFolder(), 'a.csv.gz')
      await fs.writeFile(file, bytes)
      const items = await readSource({ files: file, columns }, [100_000, 5000])

      expect(items.length).toBeGreaterThan(1000)
      expect(codesOf(items.slice(0, -1))).not.toContain('source_damaged')
      expect(items.at(-1)).toMatchObject({
        code: 'source_damaged',
        detail: expect.stringMatching(
          /a\.csv\.gz: at byte \d+: gzip: .*, after \d+ unpacked bytes$/,
        ),
      })
    }
  })

  it('says of an empty file that it has no rows', async () => {
    for (const name of ['a.csv', 'a.tsv', 'a.jsonl']) {
      const file = path.join(await temporaryFolder(), name)
      await fs.writeFile(file, '')

      expect(await failure(open({ files: file }))).toMatch(/^ConfigError: .*a\.\w+ has no rows/)
    }
  })

  it('reads the files beside one that is empty or UTF-16', async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'a.csv'), '')
    await fs.writeFile(
      path.join(folder, 'b.csv'),
      Buffer.from(`\ufeff${HEAD}${good(1)}`, 'utf16le'),
    )
    await fs.writeFile(path.join(folder, 'c.csv'), HEAD + good(1) + good(2))

    const items = await readSource({ files: folder, columns: { url: 'url', caption: 'caption' } })

    expect(codesOf(items)).toEqual(['source_damaged', 'ok', 'ok'])
    expect(items[0]).toMatchObject({ detail: expect.stringMatching(/b\.csv.*UTF-16; rewrite/) })
  })

  it('takes a lone carriage return as part of the caption and drops blank lines', async () => {
    const items = await read('a.tsv', 'a\rb\tu\r\n\r\n\nc\tu\n', { preset: 'cc3m' })

    expect(rowsOf(items).map(({ caption }) => caption)).toEqual(['a\rb', 'c'])
  })
})

describe('columns of text', () => {
  it('names the columns that exist and the nearest to a missing one', async () => {
    const message = failure(read('a.csv', HEAD + good(1), { columns: { caption: 'captoin' } }))

    expect(await message).toMatch(
      /^ConfigError: source\.columns\.caption: .*a\.csv has no column "captoin", but url, caption; did you mean "caption"\?$/,
    )
  })

  it('refuses to choose between two captions', async () => {
    const message = failure(read('a.csv', 'url,text,alt\nu,a,b\n'))

    expect(await message).toMatch(/^ConfigError: .*a\.csv has text and alt; say which one it is$/)
  })

  it('takes spans as the data set counts them', async () => {
    const line = JSON.stringify({
      url: 'u',
      caption: 'a 🐕 dog',
      spans: [[2, 3], { start: 4, end: 7 }],
    })

    const points = await read('a.jsonl', line, { columns: { phrases: 'spans' } })
    const units = await read('a.jsonl', line, {
      columns: { phrases: 'spans' },
      phraseUnits: 'utf16',
    })

    expect(rowsOf(points)[0]?.supplied).toEqual([
      { start: 2, end: 4 },
      { start: 5, end: 8 },
    ])
    expect(rowsOf(units)[0]?.supplied).toEqual([
      { start: 2, end: 3 },
      { start: 4, end: 7 },
    ])
  })

  it('keeps nested columns', async () => {
    const line = '{"image":{"url":"u"},"caption":"c","meta":{"score":0.5,"tags":["a",null]}}'

    const items = await read('a.jsonl', line, {
      columns: { url: 'image.url', keep: ['meta.score', 'meta.tags', 'absent'] },
    })

    expect(rowsOf(items)[0]).toMatchObject({
      image: { url: 'u' },
      extra: { 'meta.score': 0.5, 'meta.tags': ['a', null], absent: null },
    })
  })

  it('does not let a local path leave its folder', async () => {
    const names = ['ok/a.jpg', '../a.jpg', '/etc/passwd', 'ok/../../a.jpg', 'a\\..\\b.jpg']
    const lines = names.map((image) => JSON.stringify({ image, caption: 'c' })).join('\n')

    const items = await read('a.jsonl', lines, { imageRoot: '/data' })

    expect(codesOf(items)).toEqual(['ok', 'member_unsafe', 'member_unsafe', 'member_unsafe', 'ok'])
  })
})
