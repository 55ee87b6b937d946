// Undoes a content-encoding that came although none was asked for.

import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { SampleError } from '../../core/errors.ts'
import type { ByteShare } from '../../system/byte-budget.ts'
import { contentEncoding, type Response } from './transport.ts'

const gunzip = promisify(zlib.gunzip)
const DECODERS: ReadonlyMap<string, typeof gunzip> = new Map([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', promisify(zlib.inflate)],
  ['br', promisify(zlib.brotliDecompress)],
])

/** What a body may take. */
export interface DecodeLimits {
  readonly maxBytes: number
  /** Takes `maxBytes` while the body is decoded, then keeps what it has become. */
  readonly share: ByteShare
  readonly signal: AbortSignal
}

/** @throws SampleError body_encoding or body_too_large; the signal's reason */
export async function decodeBody(
  { body, headers }: Pick<Response, 'body' | 'headers'>,
  { maxBytes, share, signal }: DecodeLimits,
): Promise<Uint8Array> {
  const name = contentEncoding(headers)
  if (name === undefined || body.length === 0) return body
  const decode = DECODERS.get(name)
  if (decode === undefined) throw new SampleError('body_encoding', `content-encoding ${name}`)
  // What it will be cannot be known.
  await share.take(maxBytes, signal)
  try {
    const decoded = await decode(body, { maxOutputLength: maxBytes })
    share.keep(decoded.length)
    return decoded
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      const detail = `${body.length} bytes of ${name} hold more than ${maxBytes}`
      throw new SampleError('body_too_large', detail)
    }
    throw new SampleError('body_encoding', `${name} cannot be decoded`, { cause: error })
  }
}
