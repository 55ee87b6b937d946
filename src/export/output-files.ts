// The folder of an export: made beside its place, given its name when it is complete.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { codeOf, makeFolder, naming, syncFolder } from '../store/posix/durable.ts'
import { isDead, ownerOf, ownName } from '../store/posix/owner.ts'
import type { FileDigest } from '../store/run-store.ts'

/** The record of an export, and the sign by which its folder is known to be one, which may be replaced. */
export const EXPORT_RECORD = 'export.json'

/** Bytes that wait to be written. */
const FLUSH_AT = 1 << 20

/** A file written piece by piece, with its digest. */
export class OutputFile {
  /** Relative to its folder. */
  readonly name: string
  readonly #path: string
  readonly #handle: fs.FileHandle
  readonly #hash = createHash('sha256')
  #size = 0
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  private constructor(name: string, full: string, handle: fs.FileHandle) {
    this.name = name
    this.#path = full
    this.#handle = handle
  }

  /** @throws FatalError when the disk refuses */
  static async create(folder: string, name: string): Promise<OutputFile> {
    const full = path.join(folder, name)
    await makeFolder(path.dirname(full))
    return new OutputFile(name, full, await naming(full, () => fs.open(full, 'wx')))
  }

  /** @param piece text as UTF-8; bytes as they are, which must not change until the file is closed */
  async write(piece: string | Uint8Array): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes >= FLUSH_AT) await this.#flush()
  }

  /** What was written, read back piece by piece. */
  async *read(): AsyncIterable<Uint8Array> {
    await this.#flush()
    const file = await fs.open(this.#path, 'r')
    yield* file.createReadStream() as AsyncIterable<Buffer>
  }

  /** Syncs to disk. */
  async close(): Promise<FileDigest> {
    await this.#flush()
    await naming(this.#path, () => this.#handle.sync())
    await this.#handle.close()
    return { size: this.#size, sha256: this.#hash.digest('hex') }
  }

  /** Closes the file as it is, and removes it. */
  async discard(): Promise<void> {
    await this.#handle.close()
    await fs.rm(this.#path, { force: true })
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    this.#hash.update(bytes)
    this.#size += bytes.length
    await naming(this.#path, () => this.#handle.writeFile(bytes))
  }
}

/** The files of an export while they are written. */
export class OutputFolder {
  readonly path: string
  /** Finished files by name, in the order in which they were finished. */
  readonly files: Record<string, FileDigest> = {}
  readonly #open = new Set<OutputFile>()

  constructor(folder: string) {
    this.path = folder
  }

  /** @param name relative, with forward slashes */
  async create(name: string): Promise<OutputFile> {
    const file = await OutputFile.create(this.path, name)
    this.#open.add(file)
    return file
  }

  /** Closes a file, which is a part of the export then. */
  async finish(file: OutputFile): Promise<void> {
    this.files[file.name] = await file.close()
    this.#open.delete(file)
  }

  /** Of a file that only helped to write another. */
  async discard(file: OutputFile): Promise<void> {
    this.#open.delete(file)
    await file.discard()
  }

  /** Gives up. */
  async discardAll(): Promise<void> {
    for (const file of this.#open) await file.discard().catch(() => undefined)
    await fs.rm(this.path, { recursive: true, force: true })
  }
}

/** Where an export goes. */
export interface OutputPlace {
  readonly to: string
  /** Whether an earlier export gives way; nothing else ever does. */
  readonly overwrite: boolean
}

/**
 * Runs `write` on a hidden folder beside `to`, which gets its name when it is done. What killed
 * processes of this machine left there is removed.
 *
 * @throws ConfigError if something is at `to` that may not be replaced
 */
export async function writeFolder<T>(
  place: OutputPlace,
  write: (folder: OutputFolder) => Promise<T>,
): Promise<T> {
  const target = path.resolve(place.to)
  await assertReplaceable(place)
  await removeLeftovers(target)
  const folder = new OutputFolder(ownName(partialName(target)))
  await makeFolder(folder.path)
  try {
    const result = await write(folder)
    await syncFolder(folder.path)
    // Again: somebody may have written there meanwhile.
    await assertReplaceable(place)
    await replaceFolder(folder.path, place.to)
    return result
  } catch (error) {
    await folder.discardAll()
    throw error
  }
}

/** Hidden, beside the target. */
function partialName(target: string): string {
  return path.join(path.dirname(target), `.${path.basename(target)}.partial`)
}

async function replaceFolder(folder: string, to: string): Promise<void> {
  const target = path.resolve(to)
  const old = `${folder}.old`
  const isThere = await exists(target)
  if (isThere) await fs.rename(target, old)
  try {
    await fs.rename(folder, target)
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') {
      throw new ConfigError(`--to ${to}: another process has written there meanwhile`, {
        cause: error,
      })
    }
    if (isThere) await fs.rename(old, target)
    throw error
  }
  await syncFolder(path.dirname(target))
  if (isThere) await fs.rm(old, { recursive: true })
}

async function removeLeftovers(target: string): Promise<void> {
  const folder = path.dirname(target)
  const names = await fs.readdir(folder).catch(() => [])
  for (const name of names) {
    const owner = ownerOf(name, path.basename(partialName(target)))
    if (owner === undefined || !isDead(owner)) continue
    await fs.rm(path.join(folder, name), { recursive: true, force: true })
  }
}

async function assertReplaceable({ to, overwrite }: OutputPlace): Promise<void> {
  if (!(await exists(to))) return
  const names = await fs.readdir(to).catch((error: unknown) => {
    if (codeOf(error) === 'ENOTDIR') throw new ConfigError(`--to ${to} is a file; name a folder`)
    throw error
  })
  if (names.length === 0) return
  if (!names.includes(EXPORT_RECORD)) {
    throw new ConfigError(`--to ${to} holds other files; choose a new or empty folder`)
  }
  if (!overwrite) {
    throw new ConfigError(`--to ${to} holds an export; choose another folder, or add --overwrite`)
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await fs.lstat(file)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
