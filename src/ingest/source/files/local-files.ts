// Files on a disk that is mounted here.

import { constants, createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { InputError, ShardError, messageOf } from '../../../core/errors.ts'
import { readUpTo } from '../../../system/read-part.ts'
import type { OpenFile, SourceFile } from './files.ts'

const CHUNK = 256 * 1024

/** Any path that the system can open; what cannot be read now fails its shard, not its rows. */
export function localFile(path: string, signal: AbortSignal): SourceFile {
  return {
    path,
    signal,
    beside: (other) => localFile(other, signal),
    open: () => openLocal(path),
    openForward: () => openLocal(path),
    stream: async function* (offset) {
      signal.throwIfAborted()
      const stream = createReadStream(path, { start: offset, highWaterMark: CHUNK })
      try {
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          signal.throwIfAborted()
          yield chunk
        }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof Error && 'syscall' in error)) throw error
        throw new ShardError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
      } finally {
        stream.destroy()
      }
    },
    describe: async () => {
      const found = await stat(path).catch((error: unknown) => {
        throw new InputError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
      })
      if (!found.isFile()) throw new InputError(`${path} is no regular file`)
      return { size: found.size, mtime: found.mtime.toISOString() }
    },
  }
}

async function openLocal(path: string): Promise<OpenFile> {
  // Without O_NONBLOCK a named pipe would block a thread until somebody writes to it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  const handle = await open(path, flags).catch((error: unknown) => {
    throw new ShardError(`cannot open ${path}: ${messageOf(error)}`, { cause: error })
  })
  try {
    const { size } = await handle.stat()
    return {
      size,
      read: (start, length) =>
        readUpTo(handle, start, Math.min(length, size - start)).catch((error: unknown) => {
          const where = `${path} at byte ${start}`
          throw new ShardError(`cannot read ${where}: ${messageOf(error)}`, { cause: error })
        }),
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}
