// `source.files` to the ordered list of files, and what identifies them.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { ConfigError, InputError, messageOf } from '../../core/errors.ts'
import type { Json } from '../../core/types.ts'
import { openFile, readAt } from './format.ts'

const MAX_FILES = 1_000_000

/**
 * Paths, folders and patterns to files. Patterns and folders give their files sorted by name (code
 * units), so the same files give the same row numbers on every machine.
 *
 * @param endings lower case; which files of a folder count
 * @throws ConfigError if an entry matches nothing, or a file is named twice
 */
export async function listFiles(
  entries: readonly string[],
  endings: readonly string[],
): Promise<string[]> {
  if (entries.length === 0) {
    throw new ConfigError("source.files is empty: give the data set's files")
  }
  const files: string[] = []
  for (const entry of entries) {
    for (const pattern of expandBraces(entry)) files.push(...(await matchEntry(pattern, endings)))
  }
  const seen = new Set<string>()
  for (const file of files) {
    const full = path.resolve(file)
    if (seen.has(full)) throw new ConfigError(`source.files: ${file} is named twice`)
    seen.add(full)
  }
  return files
}

async function matchEntry(entry: string, endings: readonly string[]): Promise<string[]> {
  if (!/[*?]/.test(entry)) {
    let stat
    try {
      stat = await fs.stat(entry)
    } catch (error) {
      throw new ConfigError(`source.files: ${entry}: ${messageOf(error)}`, { cause: error })
    }
    if (!stat.isDirectory()) return [entry]
    const found = (await walk(entry, () => true)).filter((file) =>
      endings.some((ending) => file.toLowerCase().endsWith(ending)),
    )
    if (found.length > 0) return found
    throw new ConfigError(`source.files: no ${endings.join(', ')} file in the folder ${entry}`)
  }
  const root = /^[^*?]*\//.exec(entry)?.[0] ?? '.'
  const pattern = globToRegExp(entry)
  const deep = entry.includes('**')
  const depth = entry.split('/').length
  const found = (
    await walk(root, (folder) => deep || path.join(folder).split('/').length < depth)
  ).filter((file) => pattern.test(file))
  if (found.length > 0) return found
  throw new ConfigError(`source.files: nothing matches ${entry}`)
}

/** Files below a folder, sorted; names keep the folder as given. Hidden ones are left out. */
async function walk(root: string, enters: (folder: string) => boolean): Promise<string[]> {
  const files: string[] = []
  const visit = async (folder: string): Promise<void> => {
    let names
    try {
      names = await fs.readdir(folder, { withFileTypes: true })
    } catch (error) {
      throw new ConfigError(`source.files: ${folder}: ${messageOf(error)}`, { cause: error })
    }
    for (const item of names.sort((a, b) => compare(a.name, b.name))) {
      if (item.name.startsWith('.')) continue
      const file = folder === '.' ? item.name : path.join(folder, item.name)
      if (item.isDirectory()) {
        if (enters(file)) await visit(file)
      } else if (files.push(file) > MAX_FILES) {
        throw new ConfigError(`source.files: more than ${MAX_FILES} files below ${root}`)
      }
    }
  }
  await visit(root)
  return files.sort(compare)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** `{a,b}` and `{00000..00099}` to every name they mean, in order. */
export function expandBraces(pattern: string): string[] {
  const match = /\{([^{}]*)\}/.exec(pattern)
  if (match?.[1] === undefined) return [pattern]
  const before = pattern.slice(0, match.index)
  const after = pattern.slice(match.index + match[0].length)
  const range = /^(\d+)\.\.(\d+)$/.exec(match[1])
  const choices =
    range?.[1] !== undefined && range[2] !== undefined
      ? countUp(range[1], range[2], pattern)
      : match[1].split(',')
  return choices.flatMap((choice) => expandBraces(before + choice + after))
}

function countUp(from: string, to: string, pattern: string): string[] {
  const count = Number(to) - Number(from) + 1
  if (!(count >= 1 && count <= MAX_FILES)) {
    throw new ConfigError(`source.files: ${pattern} counts from ${from} to ${to}`)
  }
  return Array.from({ length: count }, (_, index) =>
    String(Number(from) + index).padStart(from.length, '0'),
  )
}

function globToRegExp(pattern: string): RegExp {
  const source = path
    .normalize(pattern)
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*|\?/g, (token) =>
      token === '**/' ? '(.*/)?' : token === '*' ? '[^/]*' : '[^/]',
    )
  return new RegExp(`^${source}$`)
}

const MIB = 2 ** 20
// So that opening thousands of files stays quick: all of them together read no more than this.
const HASH_BUDGET = 512 * MIB

/**
 * Path as given, size, time and a hash of the first and the last bytes of each file: a MiB each, or
 * less where there are more than 256 files.
 *
 * @throws InputError for what is no regular file
 */
export async function identify(
  files: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly [key: string]: Json }> {
  const edge = Math.max(4096, Math.min(MIB, Math.floor(HASH_BUDGET / 2 / files.length)))
  const found: Json[] = []
  for (const file of files) {
    signal.throwIfAborted()
    const handle = await openFile(file)
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) throw new InputError(`${file} is no regular file`)
      const hash = createHash('sha256')
      hash.update(await readAt(handle, file, 0, Math.min(edge, stat.size)))
      const tail = Math.max(edge, stat.size - edge)
      if (tail < stat.size) hash.update(await readAt(handle, file, tail, stat.size - tail))
      const mtime = stat.mtime.toISOString()
      found.push({ path: file, size: stat.size, mtime, sha256: hash.digest('hex') })
    } finally {
      await handle.close()
    }
  }
  return { hashedBytes: 2 * edge, files: found }
}
