import fs from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findJsonArrays, jsonElements } from '../../../../src/ingest/source/formats/split-json.ts'
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

async function read(
  content: string | Uint8Array,
  config: Omit<SourceConfig, 'files'> = {},
  name = 'a.json',
): Promise<Item[]> {
  const file = path.join(await temporaryFolder(), name)
  await fs.writeFile(file, content)
  return readSource({ ...config, files: file })
}

const SBU = {
  image_urls: ['https://example.org/1.jpg', 'https://example.org/2.jpg', null],
  user_ids: ['x', { nested: ['],', '"'] }, 3],
  captions: ['a "quoted" \\ 🐕, [dog]', 'an {object}', 'no image'],
}

const COCO = {
  info: { description: 'made up', tags: ['images', 'annotations'] },
  images: [
    { id: 9, file_name: '9.jpg', coco_url: 'http://example.org/9.jpg', license: 3 },
    { id: 7, file_name: '7.jpg', coco_url: 'http://example.org/7.jpg', license: 3 },
  ],
  licenses: [{ id: 3, name: 'x' }],
  annotations: [
    { image_id: 7, id: 1, caption: 'a dog' },
    { image_id: 9, id: 2, caption: 'a cat' },
    { image_id: 7, id: 3, caption: 'a brown dog\n' },
    { image_id: 5, id: 4, caption: 'nowhere' },
  ],
}

describe('SBU Captions', () => {
  it.each([
    ['compact', JSON.stringify(SBU)],
    ['indented', JSON.stringify(SBU, null, 2)],
    ['packed', gzipSync(JSON.stringify(SBU))],
  ])('reads parallel arrays, %s', async (form, content) => {
    const items = await read(
      content,
      { preset: 'sbu', columns: { keep: ['user_ids'] } },
      form === 'packed' ? 'sbu.json.gz' : 'sbu.json',
    )

    expect(items).toEqual([
      {
        row: 0,
        image: { kind: 'url', url: 'https://example.org/1.jpg' },
        caption: 'a "quoted" \\ 🐕, [dog]',
        extra: { user_ids: 'x' },
      },
      {
        row: 1,
        image: { kind: 'url', url: 'https://example.org/2.jpg' },
        caption: 'an {object}',
        extra: { user_ids: { nested: ['],', '"'] } },
      },
      { row: 2, code: 'image_missing', detail: 'nothing in column image_urls' },
    ])
  })

  it('rejects the rows of a longer array', async () => {
    const items = await read(JSON.stringify({ image_urls: ['u', 'v'], captions: ['c'] }), {
      preset: 'sbu',
    })

    expect(codesOf(items)).toEqual(['ok', 'caption_missing'])
  })

  it('names the place where it is cut', async () => {
    const text = JSON.stringify(SBU)
    const columns = { url: 'image_urls', caption: 'captions' }
    const file = path.join(await temporaryFolder(), 'a.json')
    await fs.writeFile(file, text.slice(0, -20))

    expect(await failure(open({ files: file, columns }))).toMatch(
      /^InputError: .*a\.json: JSON that is cut at byte 167$/,
    )
  })
})

describe("COCO's captions", () => {
  it('reads each caption with the file of its image', async () => {
    const items = await read(JSON.stringify(COCO), {
      preset: 'coco-captions',
      imageRoot: '/data/train2017',
      columns: { keep: ['id', 'image_id'] },
    })

    expect(codesOf(items)).toEqual(['ok', 'ok', 'ok', 'image_missing'])
    expect(items[2]).toEqual({
      row: 2,
      image: { kind: 'file', path: '/data/train2017/7.jpg' },
      caption: 'a brown dog\n',
      extra: { id: 3, image_id: 7 },
    })
    expect(items[3]).toMatchObject({ detail: expect.stringMatching(/no image with the id 5$/) })
  })

  it('can take the addresses instead', async () => {
    const items = await read(JSON.stringify(COCO), { columns: { url: 'url' } })

    expect(rowsOf(items.slice(0, 3)).map(({ image }) => image)).toEqual(
      [7, 9, 7].map((n) => ({ kind: 'url', url: `http://example.org/${n}.jpg` })),
    )
  })
})

describe('an array of objects', () => {
  it('reads it and loses only what is broken', async () => {
    const good = JSON.stringify({ url: 'u', caption: 'c' })
    const items = await read(`[${good}, 5, {"url": x}, ${good}, "}", {"url":"u"} ,${good}]\n`, {
      columns: { url: 'url', caption: 'caption' },
    })

    expect(codesOf(items)).toEqual([
      'ok',
      'row_malformed',
      'row_malformed',
      'ok',
      'row_malformed',
      'caption_missing',
      'ok',
    ])
    expect(items[2]).toMatchObject({
      detail: expect.stringMatching(/a\.json at byte 31: not JSON/),
    })
  })

  it('rejects an element that is too long, without holding it', async () => {
    const row = (caption: string) => JSON.stringify({ url: 'u', caption })

    const items = await read(`[${row('a')},${row('x'.repeat(3_000_000))},${row('b')}]`, {
      maxRowBytes: 2000,
    })

    expect(codesOf(items)).toEqual(['ok', 'row_too_long', 'ok'])
  })

  it('says what else the file may be', async () => {
    const columns = { url: 'url', caption: 'caption' }
    for (const [text, message] of [
      ['{"url":"u"}\n{"url":"u"}\n', /more than one JSON value, at byte 12; for JSON Lines/],
      ['"text"', /no JSON array or object at byte 0/],
      ['', /has no rows/],
      ['{"a":1}', /has no rows|has no column/],
    ] as const) {
      expect(await failure(read(text, { columns })), text).toMatch(message)
    }
  })
})

async function* chunksOf(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < at.length; i++) yield Buffer.from(bytes.subarray(at[i - 1], at[i]))
}

describe('jsonElements', () => {
  it('gives the elements of any JSON, wherever the chunks end', async () => {
    const arrays = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 5 }),
      fc.oneof(fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 4 }), fc.jsonValue()),
      { maxKeys: 4, noNullPrototype: true },
    )
    const property = fc.asyncProperty(
      arrays,
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.constantFrom(undefined, 1),
      async (value, cuts, indent) => {
        const bytes = Buffer.from(JSON.stringify(value, null, indent))

        const found = await findJsonArrays(chunksOf(bytes, cuts))

        const parsed = JSON.parse(bytes.toString()) as Readonly<Record<string, unknown>>
        const expected = Object.entries(parsed).filter(([, item]) => Array.isArray(item))
        expect([...found.keys()].sort()).toEqual(expected.map(([key]) => key).sort())
        for (const [key, offset] of found) {
          const elements: unknown[] = []
          const rest = bytes.subarray(offset)
          for await (const element of jsonElements(chunksOf(rest, cuts), offset, 1e6)) {
            const raw = Buffer.from(element.bytes)
            expect(bytes.subarray(element.offset, element.offset + raw.length)).toEqual(raw)
            elements.push(JSON.parse(raw.toString()))
          }
          expect(elements).toEqual(parsed[key])
        }
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })
})
