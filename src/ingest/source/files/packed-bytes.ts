// Bytes of files, plain or gzipped. A gzip can be read from its beginning alone: where reading begins
// further on, what is before is unpacked and dropped.

import { finished } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { messageOf } from '../../../core/errors.ts'
import { bareName } from './addresses.ts'
import type { OpenFile, SourceFile } from './files.ts'
import { DamagedFile } from '../formats/format.ts'
import { createForwardFile } from './forward-file.ts'

const CHUNK = 256 * 1024
/** Unpacked at once; a bomb of zeros grows a thousand times. */
const PACKED_BLOCK = 16 * 1024
/** A step back that is larger begins again at the start of the gzip. */
const KEPT_UNPACKED = 16 * 2 ** 20

/** True for a gzip, by its name. */
export function isPacked(path: string): boolean {
  return /\.t?gz$/.test(bareName(path))
}

/**
 * The file as if it were not packed, for reads that go forward; of a gzip neither the size is known
 * nor can anything be jumped over.
 */
export async function openUnpacked(file: SourceFile): Promise<OpenFile> {
  if (!isPacked(file.path)) return file.openForward()
  return createForwardFile(Infinity, (offset) => readBytes(file, offset), {
    keptBytes: KEPT_UNPACKED,
    maxGapBytes: Infinity,
  })
}

/** The uncompressed bytes from an offset; a gzipped file is unpacked from its beginning. */
export async function* readBytes(file: SourceFile, offset: number): AsyncGenerator<Buffer> {
  if (!isPacked(file.path)) {
    yield* file.stream(offset)
    return
  }
  let skip = offset
  for await (const chunk of unzipped(file.stream(0))) {
    file.signal.throwIfAborted()
    if (skip < chunk.length) yield chunk.subarray(skip)
    skip = Math.max(0, skip - chunk.length)
  }
}

/**
 * Block by block and not through a pipe: a stream that fails drops what was not read of it yet, and the
 * rows of a broken file would depend on who is quicker.
 *
 * @throws DamagedFile where the bytes are no gzip, after all that could be unpacked before
 */
async function* unzipped(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK })
  let failure: Error | undefined
  let unpacked: Buffer[] = []
  let length = 0
  gunzip.on('data', (chunk: Buffer) => {
    unpacked.push(chunk)
    length += chunk.length
  })
  // A write that fails does not call back.
  let proceed: (() => void) | undefined
  gunzip.on('error', (error) => {
    failure = error
    proceed?.()
  })
  try {
    for await (const block of blocks(packed)) {
      await new Promise<void>((resolve) => {
        proceed = resolve
        gunzip.write(block, () => {
          resolve()
        })
      })
      yield* unpacked.splice(0)
      if (failure !== undefined) break
    }
    if (failure === undefined) {
      gunzip.end()
      await finished(gunzip).catch(() => undefined) // seen above
      yield* unpacked.splice(0)
    }
    if (failure === undefined) return
    const message = `gzip: ${messageOf(failure)}, after ${length} unpacked bytes`
    throw new DamagedFile(message, { cause: failure })
  } finally {
    gunzip.destroy()
    unpacked = []
  }
}

/**
 * The same bytes in blocks of one size. Of the block in which a gzip is broken nothing is unpacked: so
 * the same rows are lost however the bytes came.
 */
async function* blocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    waiting.push(chunk)
    length += chunk.length
    if (length < PACKED_BLOCK) continue
    const joined = Buffer.concat(waiting)
    let at = 0
    for (; at + PACKED_BLOCK <= length; at += PACKED_BLOCK) {
      yield joined.subarray(at, at + PACKED_BLOCK)
    }
    waiting = [joined.subarray(at)]
    length -= at
  }
  if (length > 0) yield Buffer.concat(waiting)
}
