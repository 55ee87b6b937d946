// Files that are read in part.

import fs from 'node:fs/promises'
import { InputError, messageOf } from '../../core/errors.ts'
import { readExactly } from '../../system/read-part.ts'
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
    // In memory of their own, says readExactly.
    read: async (start, end) =>
      (await readExactly(handle, start, end - start)) as Buffer<ArrayBuffer>,
    close: () => handle.close(),
  }
}
