// A stream read as a file: forward reads go on with the stream, a step back of some MiB is answered
// from what came, a jump begins a new stream there. So a tar over the network costs one pass.

import type { OpenFile } from './files.ts'

/** Bytes kept behind the last read, for steps back. */
const KEPT = 8 * 2 ** 20
/** A gap up to this size is read and dropped; a larger one is jumped over. */
const MAX_GAP = 2 ** 20

/**
 * @param size Infinity where it is not known
 * @param stream bytes from an offset to the end of the file
 */
export function createForwardFile(
  size: number,
  stream: (offset: number) => AsyncIterable<Buffer>,
): OpenFile {
  let source: AsyncIterator<Buffer> | undefined
  // Consecutive; the first begins at `start`, the last ends at `end`.
  let chunks: Buffer[] = []
  let start = 0
  let end = 0
  let ended = false

  const restart = async (offset: number): Promise<void> => {
    await source?.return?.()
    source = stream(offset)[Symbol.asyncIterator]()
    chunks = []
    start = offset
    end = offset
    ended = false
  }
  const advance = async (from: AsyncIterator<Buffer>, keepFrom: number): Promise<void> => {
    const next = await from.next()
    if (next.done === true) {
      ended = true
      return
    }
    chunks.push(next.value)
    end += next.value.length
    for (let first = chunks[0]; first !== undefined; first = chunks[0]) {
      if (start + first.length > keepFrom - KEPT) break
      chunks.shift()
      start += first.length
    }
  }
  return {
    size,
    read: async (from, length) => {
      const until = Math.min(from + length, size)
      if (source === undefined || from < start || from > end + MAX_GAP) await restart(from)
      while (source !== undefined && end < until && !ended) await advance(source, from)
      const whole = Buffer.concat(overlapping(chunks, start, from, until))
      return whole
    },
    close: async () => {
      chunks = []
      await source?.return?.()
    },
  }
}

/** The parts of consecutive chunks that lie in [from, until). */
function overlapping(
  chunks: readonly Buffer[],
  start: number,
  from: number,
  until: number,
): Buffer[] {
  const found: Buffer[] = []
  let at = start
  for (const chunk of chunks) {
    if (at + chunk.length > from && at < until) {
      found.push(chunk.subarray(Math.max(0, from - at), Math.max(0, until - at)))
    }
    at += chunk.length
  }
  return found
}
