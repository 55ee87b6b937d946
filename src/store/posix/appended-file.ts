// A file that grows at its end. What comes within a few milliseconds is written together: to wake a thread
// for it costs several times what writing an image does.

import fs from 'node:fs/promises'
import type { GrowingFile } from '../run-store.ts'
import { naming } from './durable.ts'

/** Where a piece lies. */
export interface Appended {
  readonly handle: fs.FileHandle
  /** Of the piece, in the file. */
  readonly end: number
}

/** A growing file that says where its pieces are; a kill of the process loses none that were written. */
export interface AppendedFile extends GrowingFile {
  append(piece: readonly Uint8Array[]): Promise<Appended>
}

/** How long a piece waits for others. */
const GATHER_MS = 20
/** Not longer once so much waits; then there is no room. */
const GATHER_BYTES = 2 ** 20
/** Parts that one call takes at most, by POSIX. */
const MAX_PARTS = 1024

interface Waiting {
  readonly piece: readonly Uint8Array[]
  readonly length: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes the file, which must not be there yet, with the first piece.
 *
 * @param syncEveryMs a power cut loses at most this much; absent: the file is synced when it is closed
 */
export function createAppendedFile(file: string, syncEveryMs?: number): AppendedFile {
  let opened: fs.FileHandle | undefined
  let size = 0
  let waiting: Waiting[] = []
  let waitingBytes = 0
  let written = Promise.resolve()
  let failure: { readonly error: unknown } | undefined
  let gathering: NodeJS.Timeout | undefined
  let syncing: NodeJS.Timeout | undefined

  const write = async (batch: readonly Waiting[]): Promise<void> => {
    const handle = (opened ??= await fs.open(file, 'wx+'))
    await writeAll(
      handle,
      batch.flatMap(({ piece }) => piece),
    )
    for (const { length, resolve } of batch) {
      size += length
      resolve({ handle, end: size })
    }
    if (syncEveryMs === undefined) return
    syncing ??= setTimeout(() => {
      syncing = undefined
      handle.datasync().catch(() => undefined) // the next piece meets the same disk and says so
    }, syncEveryMs).unref()
  }
  const writeWaiting = async () => {
    const batch = waiting
    waiting = []
    waitingBytes = 0
    if (batch.length === 0) return
    try {
      if (failure !== undefined) throw failure.error
      await naming(file, () => write(batch))
    } catch (error) {
      failure = { error }
      for (const { reject } of batch) reject(error)
    }
  }
  const flush = () => {
    clearTimeout(gathering)
    gathering = undefined
    written = written.then(writeWaiting)
  }
  return {
    append: (piece) =>
      new Promise((resolve, reject) => {
        const length = piece.reduce((sum, part) => sum + part.length, 0)
        waiting.push({ piece, length, resolve, reject })
        waitingBytes += length
        if (waitingBytes >= GATHER_BYTES) flush()
        else gathering ??= setTimeout(flush, GATHER_MS)
      }),
    room: async () => {
      if (waitingBytes >= GATHER_BYTES) await written
      if (failure !== undefined) throw failure.error
    },
    close: async () => {
      flush()
      await written
      clearTimeout(syncing)
      const handle = opened
      opened = undefined
      if (handle !== undefined) {
        await naming(file, async () => {
          try {
            await handle.datasync()
          } finally {
            await handle.close()
          }
        })
      }
      if (failure !== undefined) throw failure.error
    },
  }
}

async function writeAll(handle: fs.FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  for (let next = 0, skip = 0; next < parts.length;) {
    const [first, ...others] = parts.slice(next, next + MAX_PARTS)
    let { bytesWritten: left } = await handle.writev([first!.subarray(skip), ...others])
    // A disk that is nearly full takes a part.
    for (left += skip; next < parts.length && left >= parts[next]!.length; next++) {
      left -= parts[next]!.length
    }
    skip = left
  }
}
