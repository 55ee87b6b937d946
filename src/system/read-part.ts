// Parts of files: what is asked for, however many reads the system makes of it.

import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/**
 * Exactly these bytes of an open file, at once: what was written a moment ago lies in the page cache, and to
 * wait for a thread would take longer than to read it.
 *
 * @throws Error if the file ends before; what the system says
 */
export function readPart(fd: number, offset: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length;) {
    const bytesRead = readSync(fd, bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw endsAt(offset + done)
    done += bytesRead
  }
  return bytes
}

/**
 * Exactly these bytes of an open file, in memory of their own.
 *
 * @throws Error as readPart does
 */
export async function readExactly(
  file: FileHandle,
  offset: number,
  length: number,
): Promise<Buffer> {
  const bytes = await readUpTo(file, offset, length)
  if (bytes.length < length) throw endsAt(offset + bytes.length)
  return bytes
}

/** These bytes of an open file, fewer only where it ends. */
export async function readUpTo(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, length))
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) return bytes.subarray(0, done)
    done += bytesRead
  }
  return bytes
}

function endsAt(offset: number): Error {
  return new Error(`the file ends at byte ${offset}`)
}
