// Bytes of text files, plain or gzipped, and what a record's bytes say.

import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { messageOf } from '../../core/errors.ts'
import { bareName, type SourceFiles } from './files.ts'
import { DamagedFile, type RejectedRow } from './format.ts'
import type { RawRecord } from './split-records.ts'

const CHUNK = 256 * 1024
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of a record, or why it has none. */
export function decodeRecord({ bytes, problem }: RawRecord): string | RejectedRow {
  if (problem === 'too_long') {
    return { code: 'row_too_long', detail: 'longer than source.maxRowBytes' }
  }
  if (problem !== undefined) return { code: 'row_malformed', detail: problem }
  const nul = bytes.indexOf(0)
  if (nul >= 0) {
    return { code: 'encoding_invalid', detail: `NUL byte, the ${nul + 1}th of the row` }
  }
  try {
    return utf8.decode(bytes)
  } catch {
    return { code: 'encoding_invalid', detail: 'not UTF-8' }
  }
}

/** The uncompressed bytes from an offset; a gzipped file is unpacked from its beginning. */
export async function* readBytes(
  files: SourceFiles,
  path: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (!bareName(path).endsWith('.gz')) {
    yield* files.stream(path, offset, signal)
    return
  }
  let skip = offset
  for await (const chunk of unzipped(files.stream(path, 0, signal))) {
    signal.throwIfAborted()
    if (skip < chunk.length) yield chunk.subarray(skip)
    skip = Math.max(0, skip - chunk.length)
  }
}

/** @throws DamagedFile where the bytes are no gzip */
async function* unzipped(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK })
  const input = Readable.from(packed)
  // pipe() passes no errors on.
  input.on('error', (error) => gunzip.destroy(error)).pipe(gunzip)
  let length = 0
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      length += chunk.length
      yield chunk
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!code.startsWith('Z_')) throw error
    throw new DamagedFile(`gzip: ${messageOf(error)}, after ${length} unpacked bytes`, {
      cause: error,
    })
  } finally {
    input.destroy()
    gunzip.destroy()
  }
}
