// Files on a disk that is mounted here.

import { constants, createReadStream } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { InputError, ShardError, messageOf } from '../../../core/errors.ts'
import { readUpTo } from '../../../system/read-part.ts'
import type { OpenFile, SourceFiles } from './files.ts'

const CHUNK = 256 * 1024

/** Any path that the system can open; what cannot be read now fails its shard, not its rows. */
export const localFiles: SourceFiles = {
  open: openLocal,
  openForward: openLocal,
  stream: async function* (path, offset, signal) {
    signal.throwIfAborted()
    const stream = createReadStream(path, { start: offset, highWaterMark: CHUNK })
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        signal.throwIfAborted()
        yield chunk
      }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Error && 'syscall' in error) {
        throw new ShardError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
      }
      throw error
    } finally {
      stream.destroy()
    }
  },
  describe: async (path) => {
    let found
    try {
      found = await stat(path)
    } catch (error) {
      throw new InputError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
    }
    if (!found.isFile()) throw new InputError(`${path} is no regular file`)
    return { size: found.size, mtime: found.mtime.toISOString() }
  },
}

/** A file that cannot be opened now fails its shard, not its rows. */
async function openLocal(path: string): Promise<OpenFile> {
  let handle: FileHandle
  try {
    // Without O_NONBLOCK a named pipe would block a thread until somebody writes to it.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw new ShardError(`cannot open ${path}: ${messageOf(error)}`, { cause: error })
  }
  try {
    const { size } = await handle.stat()
    return {
      size,
      read: (start, length) =>
        readUpTo(handle, start, Math.min(length, size - start)).catch((error: unknown) => {
          const where = `${path} at byte ${start}`
          throw new ShardError(`cannot read ${where}: ${messageOf(error)}`, { cause: error })
        }),
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}
