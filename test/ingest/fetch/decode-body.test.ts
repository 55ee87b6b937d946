import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeBody } from '../../../src/ingest/fetch/decode-body.ts'
import { createByteBudget } from '../../../src/system/byte-budget.ts'

const TEXT = Buffer.from('a cat '.repeat(100))
const { signal } = new AbortController()

function decode(body: Uint8Array, encoding: string | string[] | undefined, maxBytes = 1000) {
  const budget = createByteBudget(10_000)
  const share = budget.open()
  const headers = { 'content-encoding': encoding }
  const decoded = decodeBody({ body, headers }, { maxBytes, share, signal })
  return { decoded, held: () => budget.held() }
}

describe('decodeBody', () => {
  it.each([
    ['gzip', zlib.gzipSync(TEXT)],
    ['X-GZIP', zlib.gzipSync(TEXT)],
    ['deflate', zlib.deflateSync(TEXT)],
    [' br ', zlib.brotliCompressSync(TEXT)],
  ])('undoes %s, and holds what it has become', async (encoding, body) => {
    const { decoded, held } = decode(body, encoding)

    expect(TEXT.equals(await decoded)).toBe(true)
    expect(held()).toBe(TEXT.length)
  })
  it.each([undefined, '', 'identity'])('leaves a body as it is: %s', async (encoding) => {
    expect(await decode(TEXT, encoding).decoded).toBe(TEXT)
  })
  it('stops a bomb at the limit', async () => {
    await expect(decode(zlib.gzipSync(TEXT), 'gzip', 500).decoded).rejects.toMatchObject({
      code: 'body_too_large',
      message: expect.stringMatching(/^\d+ bytes of gzip hold more than 500$/),
    })
  })
  it.each([
    ['is damaged', 'gzip', 'gzip cannot be decoded'],
    ['is not known', 'zstd', 'content-encoding zstd'],
    ['is done twice', ['gzip', 'br'], 'content-encoding gzip,br'],
  ])('refuses an encoding that %s', async (_, encoding, message) => {
    await expect(decode(TEXT, encoding).decoded).rejects.toMatchObject({
      code: 'body_encoding',
      message,
    })
  })
})
