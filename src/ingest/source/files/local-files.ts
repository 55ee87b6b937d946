// Files on a disk that is mounted here.

import { constants, createReadStream } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { InputError, ShardError, messageOf } from '../../../core/errors.ts'
import type { OpenFile, SourceFiles } from './files.ts'

const CHUNK = 256 * 1024

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
      read: (start, length) => readAt(handle, path, start, Math.min(length, size - start)),
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Reads until the length is there or the file ends. */
async function readAt(
  file: FileHandle,
  path: string,
  start: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.max(0, length))
  let filled = 0
  while (filled < length) {
    let bytesRead: number
    try {
      ;({ bytesRead } = await file.read(buffer, filled, length - filled, start + filled))
    } catch (error) {
      const where = `${path} at byte ${start + filled}`
      throw new ShardError(`cannot read ${where}: ${messageOf(error)}`, { cause: error })
    }
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled === length ? buffer : buffer.subarray(0, filled)
}
