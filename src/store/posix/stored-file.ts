// Files that are read in part.

import fs from 'node:fs/promises'
import { InputError, messageOf } from '../../core/errors.ts'
import type { StoredFile } from '../run-store.ts'

/** @throws InputError naming the file that cannot be opened */
export async function openStoredFile(file: string): Promise<StoredFile> {
  let handle: fs.FileHandle
  try {
    handle = await fs.open(file, 'r')
  } catch (error) {
    throw new InputError(`${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  return {
    address: file,
    size: (await handle.stat()).size,
    read: (start, end) => readAt(handle, start, end - start),
    close: () => handle.close(),
  }
}

/** Exactly so many bytes, with a buffer of their own. @throws Error if the file ends before */
export async function readAt(
  handle: fs.FileHandle,
  offset: number,
  length: number,
): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw new Error(`the file ends at byte ${offset + done}`)
    done += bytesRead
  }
  return bytes
}
