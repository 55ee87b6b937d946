import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findJsonArrays, jsonElements } from '../../../../src/ingest/source/formats/split-json.ts'
import { collectAll, failure } from '../../../helpers/sources.ts'

async function* chunks(text: string, size = 3): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const arraysOf = async (text: string) => Object.fromEntries(await findJsonArrays(chunks(text)))
const elementsOf = async (text: string, offset: number, maxRowBytes = 1000) =>
  collectAll(
    jsonElements(chunks(Buffer.from(text).subarray(offset).toString()), offset, maxRowBytes),
  )

describe('findJsonArrays', () => {
  it.each([
    ['[1, 2]', { '': 1 }],
    ['  [[1], [2]]', { '': 3 }],
    ['{"a": [1], "b": {"c": [2]}, "d": "[", "e": [[]]}', { a: 7, e: 44 }],
    ['{"a\\"b\\u0041": []}', { 'a"bA': 16 }],
    ['{"a": "x", "b": [], "b": []}', { b: 26 }],
    ['{"é": []}', { é: 8 }],
    ['{}', {}],
    [' ', {}],
  ])('%s', async (text, expected) => {
    expect(await arraysOf(text)).toEqual(expected)
  })

  it.each([
    ['{"a": [1', 'JSON that is cut at byte 8'],
    ['[1] [2]', 'more than one JSON value, at byte 4; for JSON Lines set source.type: jsonl'],
    ['{"a": 1}\n{"a": 2}', 'more than one JSON value, at byte 9'],
    ['"text"', 'no JSON array or object at byte 0'],
    ['  x', 'no JSON array or object at byte 2'],
  ])('of %j says what is wrong', async (text, message) => {
    expect(await failure(arraysOf(text))).toContain(`DamagedFile: ${message}`)
  })
})

describe('jsonElements', () => {
  it('gives each element with its place', async () => {
    const elements = await elementsOf('[1, {"a": ",]"} ,"x"]', 1)

    expect(
      elements.map(({ offset, next, bytes }) => [offset, next, Buffer.from(bytes).toString()]),
    ).toEqual([
      [1, 3, '1'],
      [4, 17, '{"a": ",]"} '],
      [17, 20, '"x"'],
    ])
  })

  it('goes on from the place behind any element', async () => {
    const text = '[10,20 , 30]'
    const all = await elementsOf(text, 1)

    for (const [index, { next }] of all.entries()) {
      expect(await elementsOf(text, next)).toEqual(all.slice(index + 1))
    }
  })

  it('drops what is too long, and keeps its place', async () => {
    const elements = await elementsOf('["abcdefgh", "ab"]', 1, 6)

    expect(elements.map(({ problem, offset }) => [problem, offset])).toEqual([
      ['too_long', 1],
      [undefined, 13],
    ])
  })

  it('says where an array is cut', async () => {
    expect(await failure(elementsOf('[1, 2', 1))).toBe(
      'DamagedFile: JSON that is cut at byte 5, inside an array',
    )
  })

  it('finds what JSON.parse finds', async () => {
    const json = fc.jsonValue({ maxDepth: 3 })
    const form = fc.tuple(
      fc.array(json, { maxLength: 8 }),
      fc.nat(3),
      fc.integer({ min: 1, max: 9 }),
    )
    await fc.assert(
      fc.asyncProperty(form, async ([values, indent, size]) => {
        const text = JSON.stringify({ skipped: '[', values }, null, indent)
        const start = (await findJsonArrays(chunks(text, size))).get('values')!
        const rest = Buffer.from(text).subarray(start).toString()

        const found = await collectAll(jsonElements(chunks(rest, size), start, 1e6))

        expect(
          found.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as unknown),
        ).toEqual(JSON.parse(JSON.stringify(values)))
      }),
    )
  })
})
