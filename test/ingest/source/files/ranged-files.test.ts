import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../../../src/core/errors.ts'
import {
  causeOf,
  createRangedFiles,
  totalSize,
  type Ask,
} from '../../../../src/ingest/source/files/ranged-files.ts'
import { collectAll, failure } from '../../../helpers/sources.ts'

const { signal } = new AbortController()
const content = Buffer.from('0123456789abcdefghij')

interface Server {
  etag: string
  /** Answers are the whole file. */
  isPlain: boolean
  /** Bytes after which an answer breaks off, for each in turn. */
  readonly cuts: number[]
  size: number
}

function serve(given: Partial<Server> = {}) {
  const server: Server = { etag: '"1"', isPlain: false, cuts: [], size: content.length, ...given }
  const asked: string[] = []
  const ask: Ask = async ({ path, start, end, etag }) => {
    asked.push(`${start}-${end}${etag === undefined ? '' : ` ${etag}`}`)
    if (path !== 'a') throw new InputError(`${path}: HTTP 404`)
    const bytes = server.isPlain ? content : content.subarray(start, end)
    const cut = server.cuts.shift() ?? bytes.length
    return {
      body: Readable.from([bytes.subarray(0, cut)].filter((part) => part.length > 0)),
      description: { size: server.size, etag: server.etag },
      isPartial: !server.isPlain,
      isPastEnd: start >= content.length,
    }
  }
  return { files: createRangedFiles(ask, 0), asked, server }
}

describe('createRangedFiles', () => {
  it('reads ranges of the file that it probed', async () => {
    const { files, asked } = serve()
    const file = await files.file('a', signal).open()

    expect(file.size).toBe(20)
    expect((await file.read(5, 3)).toString()).toBe('567')
    expect((await file.read(18, 9)).toString()).toBe('ij')
    expect(await file.read(20, 1)).toHaveLength(0)
    expect(asked).toEqual(['0-1', '5-8 "1"', '18-20 "1"'])
  })

  it('goes on where an answer broke off', async () => {
    const { files, asked } = serve({ cuts: [4, 0, 6] })

    const bytes = Buffer.concat(await collectAll(files.file('a', signal).stream(2)))

    expect(bytes.toString()).toBe('23456789abcdefghij')
    expect(asked).toEqual(['2-Infinity', '6-Infinity "1"', '6-Infinity "1"', '12-Infinity "1"'])
  })

  it('gives up after five answers in a row that break off', async () => {
    const { files, asked } = serve({ cuts: [3, 0, 0, 0, 0, 0] })

    expect(await failure(collectAll(files.file('a', signal).stream(0)))).toBe(
      'ShardError: cannot read a at byte 3: the connection ended 17 bytes early',
    )
    // The one that gave three bytes is the first of them.
    expect(asked).toHaveLength(5)
  })

  it('reads whole files of a server without ranges, but not here and there', async () => {
    const { files } = serve({ isPlain: true, cuts: [0, 12] })

    expect(Buffer.concat(await collectAll(files.file('a', signal).stream(10))).toString()).toBe(
      'abcdefghij',
    )
    expect(await failure(files.file('a', signal).open())).toMatch(
      /^InputError: a: the server does not answer range requests/,
    )
  })

  it('refuses to mix two files', async () => {
    const { files, server } = serve()
    const file = await files.file('a', signal).open()
    server.etag = '"2"'

    expect(await failure(file.read(0, 5))).toBe(
      'ShardError: a changed while it was read: its ETag was "1", is "2"',
    )
  })

  it('asks once what a file is, and not again for what is not there', async () => {
    const { files, asked } = serve()

    expect(await files.file('a', signal).describe()).toEqual({ size: 20, etag: '"1"' })
    expect(await files.file('a', signal).describe()).toEqual({ size: 20, etag: '"1"' })
    expect(asked).toEqual(['0-1'])
    expect(await failure(collectAll(files.file('b', signal).stream(0)))).toBe(
      'InputError: b: HTTP 404',
    )
    expect(asked).toHaveLength(2)
  })

  it('reads to the end where the size is not known', async () => {
    const { files } = serve({ size: Infinity })
    const file = await files.file('a', signal).openForward()

    expect((await file.read(15, 10)).toString()).toBe('fghij')
    await file[Symbol.asyncDispose]()
  })

  it('stops with the signal between two tries', async () => {
    const stop = new AbortController()
    const ask: Ask = async () => {
      stop.abort(new Error('stopped'))
      throw new Error('busy')
    }

    const stream = createRangedFiles(ask, 1_000_000).file('a', stop.signal).stream(0)

    expect(await failure(collectAll(stream))).toBe('Error: stopped')
  })
})

describe('totalSize', () => {
  it.each([
    ['bytes 0-0/123', 1, 123],
    ['bytes */123', undefined, 123],
    ['bytes 0-0/*', 1, Infinity],
    [undefined, '17', 17],
    [undefined, undefined, Infinity],
  ])('%s, %s: %d', (range, length, size) => {
    expect(totalSize(range, length)).toBe(size)
  })
})

it('names the cause of the last address that was tried', () => {
  const last = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })

  expect(causeOf(new AggregateError([new Error('first'), last]))).toBe('ECONNREFUSED: refused')
  expect(causeOf(new Error('plain'))).toBe('plain')
})
