// A stream read as a file: forward reads go on with the stream, a step back of some MiB is answered
// from what came, a jump begins a new stream there. So a tar over the network costs one pass.

import type { OpenFile } from './files.ts'
import { asDamage, type DamagedFile } from '../formats/format.ts'

/** Bytes of memory against bytes that are asked for again. */
export interface ForwardOptions {
  /** Kept behind the last read, for steps back. */
  readonly keptBytes: number
  /** A gap up to this size is read and dropped; a larger one is jumped over. */
  readonly maxGapBytes: number
}

const defaults: ForwardOptions = { keptBytes: 8 * 2 ** 20, maxGapBytes: 2 ** 20 }

/**
 * A stream that turns out to be damaged is a file that ends there; a read that begins at its end throws
 * the DamagedFile. So what can be read does not depend on how much is asked for at once.
 *
 * @param size Infinity where it is not known
 * @param stream bytes from an offset to the end of the file
 */
export function createForwardFile(
  size: number,
  stream: (offset: number) => AsyncIterable<Buffer>,
  { keptBytes, maxGapBytes }: ForwardOptions = defaults,
): OpenFile {
  let source: AsyncIterator<Buffer> | undefined
  // Consecutive; the first begins at `start`, the last ends at `end`.
  let chunks: Buffer[] = []
  let start = 0
  let end = 0
  let ended = false
  let damage: DamagedFile | undefined

  const restart = async (offset: number): Promise<void> => {
    await source?.return?.()
    source = stream(offset)[Symbol.asyncIterator]()
    chunks = []
    start = offset
    end = offset
    ended = false
    damage = undefined
  }
  const advance = async (from: AsyncIterator<Buffer>, keepFrom: number): Promise<void> => {
    const next = await from.next().catch((error: unknown) => {
      damage = asDamage(error)
      return { done: true, value: undefined } as const
    })
    if (next.done === true) {
      ended = true
      return
    }
    chunks.push(next.value)
    end += next.value.length
    for (let first = chunks[0]; first !== undefined; first = chunks[0]) {
      if (start + first.length > keepFrom - keptBytes) break
      chunks.shift()
      start += first.length
    }
  }
  return {
    size,
    read: async (from, length) => {
      const until = Math.min(from + length, size)
      if (source === undefined || from < start || from > end + maxGapBytes) await restart(from)
      while (source !== undefined && end < until && !ended) await advance(source, from)
      if (damage !== undefined && from >= end) throw damage
      const found: Buffer[] = []
      let at = start
      for (const chunk of chunks) {
        if (at + chunk.length > from && at < until) {
          found.push(chunk.subarray(Math.max(0, from - at), Math.max(0, until - at)))
        }
        at += chunk.length
      }
      return Buffer.concat(found)
    },
    [Symbol.asyncDispose]: async () => {
      chunks = []
      await source?.return?.()
    },
  }
}
