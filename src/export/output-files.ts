// The folder of an export: made beside its place, given its name when it is complete.

import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { codeOf, naming, syncFolder, type FileDigest } from '../store/durable.ts'

const FLUSH_AT = 1 << 20

/** A text file written piece by piece, with its digest. */
export class OutputFile {
  readonly #handle: fs.FileHandle
  readonly #name: string
  readonly #hash = createHash('sha256')
  #size = 0
  #pending: string[] = []
  #pendingLength = 0

  private constructor(handle: fs.FileHandle, name: string) {
    this.#handle = handle
    this.#name = name
  }

  static async create(name: string): Promise<OutputFile> {
    await naming(name, () => fs.mkdir(path.dirname(name), { recursive: true }))
    return new OutputFile(await naming(name, () => fs.open(name, 'wx')), name)
  }

  async write(text: string): Promise<void> {
    this.#pending.push(text)
    this.#pendingLength += text.length
    if (this.#pendingLength >= FLUSH_AT) await this.#flush()
  }

  async close(): Promise<FileDigest> {
    try {
      await this.#flush()
      await naming(this.#name, () => this.#handle.sync())
    } finally {
      await this.#handle.close()
    }
    return { size: this.#size, sha256: this.#hash.digest('hex') }
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#pending.join(''))
    this.#pending = []
    this.#pendingLength = 0
    this.#hash.update(bytes)
    this.#size += bytes.length
    await naming(this.#name, () => this.#handle.writeFile(bytes))
  }
}

/**
 * Runs `write` in a hidden folder beside `to` and renames it when it is done.
 *
 * @param overwrite whether an earlier export at `to` gives way; nothing else ever does
 * @throws ConfigError if something is at `to` that may not be replaced
 */
export async function writeFolder<T>(
  to: string,
  overwrite: boolean,
  write: (folder: string) => Promise<T>,
): Promise<T> {
  const target = path.resolve(to)
  await assertReplaceable(target, to, overwrite)
  const aside = `${path.dirname(target)}/.${path.basename(target)}.${randomBytes(4).toString('hex')}`
  const folder = `${aside}.partial`
  await naming(folder, () => fs.mkdir(folder, { recursive: true }))
  try {
    const result = await write(folder)
    await syncFolder(folder)
    const isThere = await exists(target)
    if (isThere) await fs.rename(target, `${aside}.old`)
    await fs.rename(folder, target)
    await syncFolder(path.dirname(target))
    if (isThere) await fs.rm(`${aside}.old`, { recursive: true })
    return result
  } catch (error) {
    await fs.rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function assertReplaceable(target: string, to: string, overwrite: boolean): Promise<void> {
  if (!(await exists(target))) return
  const names = await fs.readdir(target).catch((error: unknown) => {
    if (codeOf(error) === 'ENOTDIR') throw new ConfigError(`--to ${to} is a file; name a folder`)
    throw error
  })
  if (names.length === 0) return
  if (!names.includes('export.json')) {
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
