import {
  Binary,
  Field,
  List,
  Struct,
  Table,
  tableFromArrays,
  tableToIPC,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import { afterAll, describe, expect, it } from 'vitest'
import { createArrowThread } from '../../../../src/ingest/source/formats/arrow-thread.ts'
import type { ArrowRequest } from '../../../../src/ingest/source/formats/arrow-worker.ts'
import { DamagedFile } from '../../../../src/ingest/source/formats/format.ts'

const thread = createArrowThread()
afterAll(() => thread.close())

const stream = tableToIPC(tableFromArrays({ url: ['u0', 'u1', 'u2'], n: [0, 1, 2] }), 'stream')
const rows = (key: string, over: object = {}) =>
  thread.ask({ kind: 'rows', key, columns: ['url'], start: 1, end: 3, ...over })

/** The first message's metadata; 8 bytes of marker and length go before. */
const metadata = stream.subarray(
  8,
  8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true),
)

describe('createArrowThread', () => {
  it('says what a message is and which columns there are', async () => {
    expect(await thread.ask({ kind: 'describe', metadata })).toEqual({
      described: { kind: 'schema', bodyLength: 0, rows: 0 },
    })
    expect(await thread.ask({ kind: 'columns', stream })).toEqual({ columns: ['url', 'n'] })
  })

  it('has the wanted rows of the wanted columns', async () => {
    expect(await rows('a', { stream, columns: ['n', 'gone', 'url'], start: 0, end: 2 })).toEqual({
      rows: { n: [0, 1], url: ['u0', 'u1'] },
    })
  })

  it('keeps the batches that were asked for last, and says when it wants one again', async () => {
    const second = { rows: { url: ['u1', 'u2'] } }
    for (const key of ['b', 'c', 'd']) expect(await rows(key, { stream })).toEqual(second)
    expect(await rows('b')).toEqual(second)
    await rows('e', { stream })

    expect(await rows('c')).toEqual({ rows: undefined })
    expect(await rows('b')).toEqual(second)
  })

  it('has values as other threads can have them', async () => {
    const item = new Struct([new Field('name', new Utf8()), new Field('toJSON', new Utf8())])
    const table = new Table({
      time: vectorFromArray([new Date(86_400_000), null], new TimestampMillisecond()),
      bytes: vectorFromArray([Uint8Array.of(1, 2), null], new Binary()),
      list: vectorFromArray(
        [[{ name: 'a', toJSON: 'b' }], null],
        new List(new Field('item', item)),
      ),
    })
    const { rows: values } = await thread.ask({
      kind: 'rows',
      key: 'values',
      stream: tableToIPC(table, 'stream'),
      columns: ['time', 'bytes', 'list'],
      start: 0,
      end: 2,
    })

    expect(values).toEqual({
      time: [new Date(86_400_000), null],
      bytes: [Uint8Array.of(1, 2), null],
      list: [[{ name: 'a', toJSON: 'b' }], null],
    })
  })

  it('calls what cannot be parsed damaged, and goes on', async () => {
    const requests: ArrowRequest[] = [
      { kind: 'columns', stream: new Uint8Array(64).fill(0x7f) },
      {
        kind: 'rows',
        key: 'cut',
        stream: stream.subarray(0, -80),
        columns: ['url'],
        start: 0,
        end: 3,
      },
    ]
    for (const request of requests) {
      await expect(thread.ask(request)).rejects.toThrow(DamagedFile)
    }
    expect(await thread.ask({ kind: 'columns', stream })).toEqual({ columns: ['url', 'n'] })
  })

  it('calls what is not parsed in time damaged, and starts anew for others', async () => {
    const own = createArrowThread()
    // The start counts, and takes longer than that.
    const late = own.ask({ kind: 'columns', stream }, 1)

    await expect(late).rejects.toThrow(DamagedFile)
    await expect(late).rejects.toThrow('not parsed in 0.001 s, as corrupted bytes may cause')
    expect(await own.ask({ kind: 'columns', stream })).toEqual({ columns: ['url', 'n'] })
    await own.close()
  })
})
