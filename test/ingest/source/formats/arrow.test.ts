import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { createArrowFormat } from '../../../../src/ingest/source/formats/arrow.ts'
import { collectAll, failure, memoryFiles } from '../../../helpers/sources.ts'

const arrow = createArrowFormat(['url', 'caption'])
const table = tableFromArrays({
  url: ['u0', 'u1', 'u2', 'u3', 'u4'],
  caption: ['a', 'b', 'c', 'd', 'e'],
  size: Int32Array.of(0, 1, 2, 3, 4),
})
const rows = ['a', 'b', 'c', 'd', 'e'].map((caption, n) => ({ fields: { url: `u${n}`, caption } }))

function fileOf(content: Uint8Array) {
  return memoryFiles({ 'a.arrow': content }).file('a.arrow')
}

const stream = tableToIPC(table, 'stream')
/** A stream with magic around it and a footer behind it, which is not read. */
const file = Buffer.concat([
  Buffer.from('ARROW1\0\0'),
  stream,
  Buffer.from('footer'),
  Buffer.from('ARROW1'),
])

describe.each([
  ['file', file],
  ['stream', stream],
])('an Arrow %s', (_, bytes) => {
  it('has its columns, and the rows of those that are wanted', async () => {
    const source = fileOf(bytes)

    expect(await arrow.columns(source)).toEqual(['url', 'caption', 'size'])
    expect(await collectAll(arrow.read(source, undefined))).toEqual(rows)
  })

  it('can be begun at any row', async () => {
    const source = fileOf(bytes)
    const marks = await collectAll(arrow.marks(source, { first: 1, stride: 2 }))

    expect(marks.map((mark) => ('rows' in mark ? mark : mark.row))).toEqual([1, 3, { rows: 5 }])
    for (const mark of marks) {
      if ('rows' in mark) continue
      expect(await collectAll(arrow.read(source, mark.position))).toEqual(rows.slice(mark.row))
    }
  })

  it('has one row for what is cut off', async () => {
    const source = fileOf(bytes.subarray(0, Math.floor(bytes.length / 2)))
    const marks = await collectAll(arrow.marks(source, { first: 0, stride: 1 }))
    const read = await collectAll(arrow.read(source, undefined))

    expect(marks.at(-1)).toEqual({ rows: read.length })
    expect(read.at(-1)).toMatchObject({ code: 'source_damaged' })
  })
})

it.each([
  ['', 'cut at byte 0'],
  ['plain text', 'no Arrow message at byte 0'],
  [
    'ARROW1\0\0\xff\xff\xff\xff\xff\xff\xff\x7f',
    'message at byte 8 claims 2147483647 bytes of metadata',
  ],
])('refuses %j', async (content, message) => {
  const source = fileOf(Buffer.from(content, 'latin1'))

  expect(await failure(arrow.columns(source))).toBe(`InputError: a.arrow: ${message}`)
})

it('refuses a position of another format', async () => {
  expect(await failure(collectAll(arrow.read(fileOf(tableToIPC(table)), 7)))).toBe(
    'InputError: a.arrow: 7 is no position of this format',
  )
})
