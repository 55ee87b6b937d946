// Bytes that were written a moment ago lie in the page cache: to wait for a thread would take longer than to
// read them.

import { readSync } from 'node:fs'

/** @throws Error if the file ends before; what the system says */
export function readPart(fd: number, offset: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length;) {
    const bytesRead = readSync(fd, bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw new Error(`the file ends at byte ${offset + done}`)
    done += bytesRead
  }
  return bytes
}
