import { describe, expect, it } from 'vitest'
import { mapRow, toJson, valueOf, type MapOptions } from '../../../src/ingest/source/map-row.ts'

const options: MapOptions = {
  columns: { url: 'url', caption: 'caption', keep: [] },
  captionIndex: 0,
  phraseUnits: 'codePoints',
  imageRoot: 'pictures',
  maxImageBytes: 4,
}
const withColumns = (columns: object, rest: Partial<MapOptions> = {}): MapOptions => ({
  ...options,
  ...rest,
  columns: { ...options.columns, ...columns },
})
const onDisk = { url: undefined, image: 'image' } as object

describe('mapRow', () => {
  it('takes image, caption and what is kept', () => {
    const row = mapRow(
      { url: 'https://a.example/1.jpg', caption: 'a dog', size: 3n, tags: ['x'], rest: 1 },
      withColumns({ keep: ['size', 'tags', 'missing'] }),
    )

    expect(row).toEqual({
      image: { kind: 'url', url: 'https://a.example/1.jpg' },
      caption: 'a dog',
      extra: { size: 3, tags: ['x'], missing: null },
    })
  })

  it('reads bytes as UTF-8', () => {
    const row = mapRow({ url: Buffer.from('u'), caption: Buffer.from('a café') }, options)

    expect(row).toMatchObject({ caption: 'a café', image: { url: 'u' } })
  })

  it.each([
    [{ caption: 'a' }, 'image_missing', 'nothing in column url'],
    [{ url: '', caption: 'a' }, 'image_missing', 'nothing in column url'],
    [{ url: 'u' }, 'caption_missing', 'nothing in column caption'],
    [{ url: 'u', caption: null }, 'caption_missing', 'nothing in column caption'],
    [{ url: 'u', caption: 7 }, 'row_malformed', 'column caption is a number, not text'],
    [{ url: 'u', caption: {} }, 'row_malformed', 'column caption is an object, not text'],
    [{ url: ['u'], caption: 'a' }, 'row_malformed', 'column url is a list, not text'],
    [{ url: 'u', caption: 'a\0b' }, 'encoding_invalid', 'column caption has a NUL character at 1'],
    [
      { url: 'u', caption: 'ab\ud800' },
      'encoding_invalid',
      'column caption has half a surrogate pair at 2',
    ],
    [{ url: 'u', caption: Uint8Array.of(0xff) }, 'encoding_invalid', 'column caption is not UTF-8'],
  ])('rejects %j as %s', (fields, code, detail) => {
    expect(mapRow(fields, options)).toMatchObject({ code, detail })
  })

  it('tells the URL of a row that it rejects', () => {
    expect(mapRow({ url: 'https://a.example/1.jpg' }, options)).toEqual({
      code: 'caption_missing',
      detail: 'nothing in column caption',
      url: 'https://a.example/1.jpg',
    })
  })

  it('takes one caption of a list', () => {
    const fields = { url: 'u', caption: ['first', 'second'] }

    expect(mapRow(fields, { ...options, captionIndex: 1 })).toMatchObject({ caption: 'second' })
    expect(mapRow(fields, { ...options, captionIndex: 2 })).toMatchObject({
      code: 'caption_missing',
      detail: 'nothing in column caption at index 2',
    })
  })

  it('rejects what the data set says it has not, with its reason', () => {
    const columns = withColumns({ status: 'status' })
    const fields = { url: 'u', caption: 'a', error_message: 'HTTP 404' }

    expect(mapRow({ ...fields, status: 'failed_to_download' }, columns)).toMatchObject({
      code: 'source_failed',
      detail: 'failed_to_download: HTTP 404',
    })
    expect(mapRow({ url: 'u', caption: 'a' }, columns)).toMatchObject({
      detail: 'no status: unknown',
    })
    expect(mapRow({ ...fields, status: 'success' }, columns)).not.toHaveProperty('code')
  })
})

describe('an image of a row', () => {
  const map = (image: unknown, rest: Partial<MapOptions> = {}) =>
    mapRow({ image, caption: 'a' }, withColumns(onDisk, rest))

  it('is a path below the root', () => {
    expect(map('a/../b/1.jpg')).toMatchObject({ image: { kind: 'file', path: 'pictures/b/1.jpg' } })
  })

  it.each(['../1.jpg', '/etc/passwd', 'a/../..'])('may not leave it: %s', (path) => {
    expect(map(path)).toMatchObject({
      code: 'member_unsafe',
      detail: `${JSON.stringify(path)} is not inside pictures`,
    })
  })

  it('is an address beside a file from the network, and may not leave its folder', () => {
    const imageRoot = 'https://a.example/set/'

    expect(map('x/1.jpg', { imageRoot })).toMatchObject({
      image: { kind: 'url', url: 'https://a.example/set/x/1.jpg' },
    })
    for (const path of ['../1.jpg', '//b.example/1.jpg', 'https://b.example/1.jpg', 'file:///x']) {
      expect(map(path, { imageRoot })).toMatchObject({ code: 'member_unsafe' })
    }
  })

  it('is bytes up to a size, alone or with a path', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4)

    expect(map(bytes)).toMatchObject({ image: { kind: 'bytes', bytes, name: 'image' } })
    expect(map({ bytes, path: 'x.png' })).toMatchObject({ image: { bytes, name: 'x.png' } })
    expect(map({ bytes: null, path: 'x.png' })).toMatchObject({ image: { path: 'pictures/x.png' } })
    expect(map(new Uint8Array(5))).toMatchObject({
      code: 'row_too_long',
      detail: 'image of 5 bytes; source.maxImageBytes is 4',
    })
  })

  it('goes before the URL, which stands in where there is none', () => {
    const both = withColumns({ image: 'image' })

    expect(mapRow({ image: 'x.jpg', url: 'u', caption: 'a' }, both)).toMatchObject({
      image: { kind: 'file' },
    })
    expect(mapRow({ image: null, url: 'u', caption: 'a' }, both)).toMatchObject({
      image: { kind: 'url' },
    })
    expect(mapRow({ caption: 'a' }, both)).toMatchObject({
      detail: 'nothing in column image or url',
    })
  })
})

describe('supplied phrases', () => {
  const map = (phrases: unknown, phraseUnits: MapOptions['phraseUnits'] = 'codePoints') =>
    mapRow(
      { url: 'u', caption: '🐕 a dog', phrases },
      withColumns({ phrases: 'phrases' }, { phraseUnits }),
    )

  it.each([
    [[[2, 7, 'a dog']]],
    [[{ start: 2, end: 7 }]],
    ['[[2, 7]]'],
    [[[2n, 7n]]],
    [[Float32Array.of(2, 7, 0.5)]],
  ])('count code points: %o', (phrases) => {
    expect(map(phrases)).toMatchObject({ supplied: [{ start: 3, end: 8 }] })
  })

  it('count UTF-16 units on request, and may lie outside', () => {
    expect(map([[3, 8]], 'utf16')).toMatchObject({ supplied: [{ start: 3, end: 8 }] })
    expect(map([[-1, 99]])).toMatchObject({ supplied: [{ start: -1, end: 9 }] })
  })

  it('are none where there is nothing', () => {
    for (const none of [undefined, null, '', []]) expect(map(none)).toMatchObject({ supplied: [] })
  })

  it.each([
    ['{', 'column phrases is no JSON'],
    [7, 'column phrases is a number, not a list'],
    [[['x', 1]], 'column phrases: ["x",1] begins with no start and end'],
    [[[1]], 'column phrases: [1] begins with no start and end'],
    [[[0.5, 1]], 'column phrases: [0.5,1] begins with no start and end'],
  ])('are refused: %j', (phrases, detail) => {
    expect(map(phrases)).toMatchObject({ code: 'phrases_invalid', detail })
  })
})

describe('valueOf', () => {
  it('finds a key inside a column, and a column with a dot first', () => {
    expect(valueOf({ a: { b: { c: 1 } } }, 'a.b.c')).toBe(1)
    expect(valueOf({ 'a.b': 2, a: { b: 1 } }, 'a.b')).toBe(2)
    expect(valueOf({ a: 'text' }, 'a.length')).toBeUndefined()
    expect(valueOf({}, 'constructor')).toBeUndefined()
  })
})

describe('toJson', () => {
  it.each([
    [2n ** 53n, '9007199254740992'],
    [5n, 5],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [undefined, null],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), null],
    [Uint8Array.of(1, 2, 3), 'AQID'],
    [Int32Array.of(1, 2), [1, 2]],
    [{ a: [1n, { b: undefined }] }, { a: [1, { b: null }] }],
  ])('%o', (value, expected) => {
    expect(toJson(value)).toEqual(expected)
  })
})
