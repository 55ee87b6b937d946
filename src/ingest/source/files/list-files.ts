// `source.files` to the ordered list of files, and what identifies them.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import pLimit from 'p-limit'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import type { Json } from '../../../core/types.ts'
import { isRemote, isS3, isS3Folder, normalS3 } from './addresses.ts'
import type { SourceFiles } from './files.ts'

const MAX_FILES = 1_000_000

/**
 * Paths, folders and patterns to files. Patterns and folders give their files sorted by name (code
 * units), so the same files give the same row numbers on every machine.
 *
 * @param endings lower case; which files of a folder count
 * @throws ConfigError if an entry matches nothing, or a file is named twice; as `listObjects` does
 */
export async function listFiles(
  entries: readonly string[],
  endings: readonly string[],
  store: SourceFiles,
): Promise<string[]> {
  if (entries.length === 0) {
    throw new ConfigError("source.files is empty: give the data set's files")
  }
  const files: string[] = []
  for (const entry of entries) {
    for (const pattern of expandBraces(entry)) {
      for (const file of await match(pattern, endings, store)) files.push(file)
    }
  }
  const seen = new Set<string>()
  for (const file of files) {
    const full = isRemote(file) ? file : path.resolve(file)
    if (seen.has(full)) throw new ConfigError(`source.files: ${file} is named twice`)
    seen.add(full)
  }
  return files
}

/** A file by its name, those below a folder, or those of a pattern; sorted. */
async function match(
  entry: string,
  endings: readonly string[],
  store: SourceFiles,
): Promise<string[]> {
  if (isRemote(entry) && !isS3(entry)) return [toUrl(entry)]
  const name = isS3(entry) ? normalS3(entry) : entry
  const isPattern = /[*?]/.test(name)
  if (!isPattern && !(await isFolder(name))) return [name]
  const pattern = globToRegExp(isS3(name) ? name : path.normalize(name))
  const matches = (file: string) =>
    isPattern ? pattern.test(file) : endings.some((ending) => file.toLowerCase().endsWith(ending))

  const [prefix = ''] = /^[^*?]*/.exec(name) ?? []
  const root = isS3(name) || !isPattern ? prefix : prefix.replace(/[^/]*$/, '') || '.'
  const depth = isPattern && !name.includes('**') ? name.split('/').length : Infinity
  const files = isS3(name)
    ? store.listObjects(root, !isPattern || name.slice(root.length).includes('/'))
    : walk(root, depth)
  const found: string[] = []
  for await (const file of files) {
    if (isS3(name) && file.includes('/.', root.lastIndexOf('/'))) continue // hidden
    if (matches(file) && found.push(file) > MAX_FILES) {
      throw new ConfigError(`source.files: more than ${MAX_FILES} files below ${root}`)
    }
  }
  if (found.length > 0) return found.sort()
  const missing = isPattern
    ? `nothing matches ${entry}`
    : `no ${endings.join(', ')} file in the folder ${entry}`
  throw new ConfigError(`source.files: ${missing}`)
}

/** A web server cannot be listed: its files are named, or counted up in braces. */
function toUrl(entry: string): string {
  if (!/^https?:/i.test(entry)) {
    const scheme = /^[^:]*/.exec(entry)?.[0] ?? ''
    throw new ConfigError(
      `source.files: ${entry}: ${scheme}:// is not available; use a local path, https:// or s3://`,
    )
  }
  if (!URL.canParse(entry)) throw new ConfigError(`source.files: ${entry} is no address`)
  if (!new URL(entry).pathname.includes('*')) return entry
  throw new ConfigError(
    `source.files: ${entry}: a web server cannot be searched; use braces such as {00000..00099}`,
  )
}

async function isFolder(name: string): Promise<boolean> {
  if (isS3(name)) return isS3Folder(name)
  const stat = await fs.stat(name).catch((error: unknown) => {
    throw new ConfigError(`source.files: ${name}: ${messageOf(error)}`, { cause: error })
  })
  return stat.isDirectory()
}

/**
 * Files below a folder, hidden ones left out; names keep the folder as given.
 *
 * @param depth the most parts that a name has
 */
async function* walk(folder: string, depth: number): AsyncGenerator<string> {
  const items = await fs.readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new ConfigError(`source.files: ${folder}: ${messageOf(error)}`, { cause: error })
  })
  for (const item of items) {
    if (item.name.startsWith('.')) continue
    const file = folder === '.' ? item.name : path.join(folder, item.name)
    if (!item.isDirectory()) yield file
    else if (file.split('/').length < depth) yield* walk(file, depth)
  }
}

/** `{a,b}` and `{00000..00099}` to every name they mean, in order. */
export function expandBraces(pattern: string): string[] {
  const match = /\{([^{}]*)\}/.exec(pattern)
  if (match?.[1] === undefined) return [pattern]
  const before = pattern.slice(0, match.index)
  const after = pattern.slice(match.index + match[0].length)
  let choices = match[1].split(',')
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(match[1]) ?? []
  if (from !== undefined) {
    const count = Number(to) - Number(from) + 1
    if (!(count >= 1 && count <= MAX_FILES)) {
      throw new ConfigError(`source.files: ${pattern} counts from ${from} to ${to}`)
    }
    choices = Array.from({ length: count }, (_, index) =>
      String(Number(from) + index).padStart(from.length, '0'),
    )
  }
  return choices.flatMap((choice) => expandBraces(before + choice + after))
}

function globToRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*|\?/g, (token) =>
      token === '**/' ? '(.*/)?' : token === '*' ? '[^/]*' : '[^/]',
    )
  return new RegExp(`^${source}$`)
}

const MIB = 2 ** 20
// So that opening thousands of files stays quick: all of them together read no more than this.
const HASH_BUDGET = { local: 512 * MIB, remote: 64 * MIB }
const FILES_AT_ONCE = 8

/**
 * Path as given, size, time or ETag, and a hash of the first and the last bytes of each file: a MiB
 * each, or less where there are many files.
 *
 * @throws InputError for what is no regular file
 */
export async function identify(
  paths: readonly string[],
  files: SourceFiles,
): Promise<{ readonly [key: string]: Json }> {
  const budget = paths.some(isRemote) ? HASH_BUDGET.remote : HASH_BUDGET.local
  const edge = Math.max(4096, Math.min(MIB, Math.floor(budget / 2 / paths.length)))
  const limit = pLimit(FILES_AT_ONCE)
  const found = await limit.map(paths, async (path) => {
    const file = files.file(path)
    file.signal.throwIfAborted()
    const description = await file.describe()
    const { size } = description
    const hash = createHash('sha256')
    await using open = await file.openForward()
    hash.update(await open.read(0, Math.min(edge, size)))
    const tail = Math.max(edge, size - edge)
    if (tail < size && Number.isFinite(size)) hash.update(await open.read(tail, size - tail))
    return { path, ...description, sha256: hash.digest('hex') }
  })
  return { hashedBytes: 2 * edge, files: found }
}
