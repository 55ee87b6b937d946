// Files that survive a power cut: written, synced, then given their name.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { FatalError, messageOf } from '../../core/errors.ts'
import type { FileDigest } from '../run-store.ts'
import { ownName } from './owner.ts'

/**
 * Writes a new file and syncs it to disk; the name is given at once, so use it inside a folder that
 * nobody reads yet.
 *
 * @param mode permissions, less the umask
 * @throws FatalError naming the path when the disk is full or read-only
 */
export async function writeSynced(
  file: string,
  content: Uint8Array | string,
  mode = 0o666,
): Promise<FileDigest> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  await naming(file, async () => {
    const handle = await fs.open(file, 'wx', mode)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  })
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** Hidden, beside the file, and known by its owner. */
function temporaryName(file: string): string {
  return path.join(path.dirname(file), ownName(`.${path.basename(file)}.tmp`))
}

/**
 * Publishes a file under its final name if, and only if, no file has that name yet.
 *
 * @returns false if another process was first; its file stays
 */
export async function publishFile(
  file: string,
  content: Uint8Array | string,
  mode?: number,
): Promise<boolean> {
  const temporary = temporaryName(file)
  await writeSynced(temporary, content, mode)
  try {
    await fs.link(temporary, file)
    await syncFolder(path.dirname(file))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw failedWrite(file, error)
  } finally {
    await fs.rm(temporary, { force: true })
  }
}

/**
 * Puts a file in place of any of that name; readers see all of the old or all of the new.
 *
 * @throws FatalError naming the path when the disk refuses
 */
export async function replaceFile(file: string, content: Uint8Array | string): Promise<FileDigest> {
  const temporary = temporaryName(file)
  try {
    const digest = await writeSynced(temporary, content)
    await naming(file, () => fs.rename(temporary, file))
    await syncFolder(path.dirname(file))
    return digest
  } catch (error) {
    await fs.rm(temporary, { force: true })
    throw error
  }
}

/** Of everything in a folder; none if there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/**
 * Makes a folder and those it lies in; no error if it is there.
 *
 * @throws FatalError naming the folder when the disk is full, read-only or closed to us, or when a
 *   file is in the way
 */
export async function makeFolder(folder: string): Promise<void> {
  // Not mkdir's `recursive`, which takes a read-only file system for a folder that does not exist.
  try {
    await fs.mkdir(folder)
  } catch (error) {
    const parent = path.dirname(folder)
    if (codeOf(error) === 'EEXIST' && (await fs.stat(folder)).isDirectory()) return
    if (codeOf(error) !== 'ENOENT' || parent === folder)
      throw failedWrite(folder, error, IN_THE_WAY)
    await makeFolder(parent)
    await makeFolder(folder)
  }
}

/** Makes renames and links inside a folder durable; best effort, since some shared file systems refuse it. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: fs.FileHandle | undefined
  try {
    handle = await fs.open(folder, 'r')
    await handle.sync()
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR'].includes(codeOf(error) ?? '')) throw error
  } finally {
    await handle?.close()
  }
}

/** Runs a write and names the file in the error when the disk refuses it. */
export async function naming<T>(file: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    throw failedWrite(file, error)
  }
}

const WRITE_FAILURES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space and repeat the command',
  EDQUOT: 'the disk quota is used up; free some space and repeat the command',
  EROFS: 'the file system is read-only; choose another --out',
  EACCES: 'no permission to write; choose another --out or change the permissions',
  EPERM: 'no permission to write; choose another --out or change the permissions',
  EIO: 'the disk reports an input/output error',
  EMFILE: 'too many open files; raise the limit (ulimit -n)',
  ENFILE: 'too many open files on this machine',
}

const IN_THE_WAY: Readonly<Record<string, string>> = {
  EEXIST: 'a file has that name; choose another',
  ENOTDIR: 'a part of the path is a file; choose another',
}

/** A FatalError that names the file for what the disk refuses; any other error as it is. */
export function failedWrite(
  file: string,
  error: unknown,
  more: Readonly<Record<string, string>> = {},
): unknown {
  const code = codeOf(error) ?? ''
  const why = WRITE_FAILURES[code] ?? more[code]
  return why === undefined
    ? error
    : new FatalError(`cannot write ${file}: ${why} (${messageOf(error)})`, { cause: error })
}

/** The system's error code, e.g. "ENOENT". */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
