import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isPacked,
  openUnpacked,
  readBytes,
} from '../../../../src/ingest/source/files/packed-bytes.ts'
import { collectAll, failure, memoryFiles } from '../../../helpers/sources.ts'

const text = Buffer.from(Array.from({ length: 3000 }, (_, n) => `line ${n}\n`).join(''))
const packed = gzipSync(text)

const bytesOf = async (content: Uint8Array, offset: number, chunk?: number) =>
  Buffer.concat(
    await collectAll(readBytes(memoryFiles({ 'a.gz': content }, chunk).file('a.gz'), offset)),
  )

describe('isPacked', () => {
  it.each([
    ['a.gz', true],
    ['A.TGZ', true],
    ['https://a.example/a.csv.gz?x', true],
    ['a.gzip', false],
    ['gz', false],
  ])('%s: %s', (path, expected) => {
    expect(isPacked(path)).toBe(expected)
  })
})

describe('readBytes', () => {
  it('gives the unpacked bytes from any offset, however the packed ones come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length),
        fc.integer({ min: 1, max: 5000 }),
        async (at, chunk) => {
          expect((await bytesOf(packed, at, chunk)).equals(text.subarray(at))).toBe(true)
        },
      ),
      { numRuns: 20 },
    )
  })

  it('reads gzips that were put together, and nothing of an empty one', async () => {
    const two = Buffer.concat([gzipSync('one '), gzipSync('two')])

    expect((await bytesOf(two, 0)).toString()).toBe('one two')
    expect(await bytesOf(gzipSync(''), 0)).toHaveLength(0)
  })

  it('passes on a file that is not packed', async () => {
    const file = memoryFiles({ 'a.txt': 'abcdef' }).file('a.txt')

    expect(Buffer.concat(await collectAll(readBytes(file, 2))).toString()).toBe('cdef')
  })

  it.each([
    [
      'cut',
      packed.subarray(0, -20),
      /^DamagedFile: gzip: unexpected end of file, after \d+ unpacked/,
    ],
    ['no gzip', Buffer.from('plain text'), /^DamagedFile: gzip: incorrect header check, after 0/],
  ])('says what is wrong with a file that is %s', async (_, content, message) => {
    expect(await failure(bytesOf(content, 0))).toMatch(message)
  })

  it('gives the same bytes of a damaged one, however they come', async () => {
    const broken = Buffer.from(packed)
    broken.fill(0, packed.length - 2000, packed.length - 1900)
    const before = async (chunk: number) => {
      const got: Buffer[] = []
      const file = memoryFiles({ 'a.gz': broken }, chunk).file('a.gz')
      const message = await failure(
        (async () => {
          for await (const part of readBytes(file, 0)) got.push(part)
        })(),
      )
      return { message, bytes: Buffer.concat(got).toString() }
    }

    const whole = await before(broken.length)

    expect(whole.message).toMatch(/^DamagedFile: gzip: /)
    expect(await before(11)).toEqual(whole)
    expect(await before(4096)).toEqual(whole)
  })
})

describe('openUnpacked', () => {
  it('reads forward and back; the size is not known', async () => {
    const file = await openUnpacked(memoryFiles({ 'a.gz': packed }).file('a.gz'))

    expect(file.size).toBe(Infinity)
    expect((await file.read(10_000, 20)).equals(text.subarray(10_000, 10_020))).toBe(true)
    expect((await file.read(0, 6)).toString()).toBe('line 0')
    await file[Symbol.asyncDispose]()
  })

  it('opens what is not packed as it is', async () => {
    const file = await openUnpacked(memoryFiles({ 'a.tar': 'abc' }).file('a.tar'))

    expect(file.size).toBe(3)
  })
})
