// The whole bytes of local inputs. A run's identity has size, time and the ends of each file, which a
// change in the middle can leave alone; so the hash of the whole is taken when the run is planned, and
// compared when a file's time differs or when somebody asks.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import pLimit from 'p-limit'
import { ConfigError, InputError, messageOf } from '../core/errors.ts'
import type { Json } from '../core/types.ts'
import { isRemote } from '../ingest/source/files/addresses.ts'
import type { Identity, RunManifest } from '../store/run-manifest.ts'
import type { RunOptions } from './options.ts'
import type { Progress } from './progress.ts'

/** A file as the source's identity has it. */
interface InputFile {
  readonly path: string
  readonly size: number
  /** ISO 8601. */
  readonly mtime: string
}

/** More than this is not read for its hash alone, unless it is asked for. */
const AUTO_BYTES = 64 * 2 ** 30
// One thread hashes; the other file is read meanwhile.
const FILES_AT_ONCE = 2
const CHUNK = 2 ** 20
const REPORT_EVERY_MS = 10_000

/** The local files of a source's identity; none for a folder of images. */
function localInputs(source: Json): InputFile[] {
  return filesOf(source).flatMap(({ path, size, mtime }) =>
    typeof path === 'string' &&
    typeof size === 'number' &&
    typeof mtime === 'string' &&
    !isRemote(path)
      ? { path, size, mtime }
      : [],
  )
}

function filesOf(source: Json): readonly Readonly<Record<string, Json>>[] {
  if (typeof source !== 'object' || source === null || !('files' in source)) return []
  return Array.isArray(source.files) ? (source.files as Readonly<Record<string, Json>>[]) : []
}

/** Where reading the inputs says how far it is, and what stops it. */
export interface HashOptions {
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** How the inputs of a run that is there already are compared with those it was planned with. */
export interface ConfirmOptions extends HashOptions {
  /** Compare the whole bytes of every local input, not just of those with another time. */
  readonly verifyInputs: boolean
}

/**
 * @param source identity of the opened source
 * @param options with the mode `auto` inputs of more than 64 GiB are left out, and that is said
 * @returns hex sha256 by path; undefined if they were left out
 * @throws InputError if a file changes meanwhile or cannot be read
 */
export async function hashInputs(
  source: Json,
  { mode, ...options }: HashOptions & { readonly mode: RunOptions['hashInputs'] },
): Promise<Record<string, string> | undefined> {
  const files = localInputs(source)
  if (mode === 'never') return undefined
  const bytes = totalBytes(files)
  if (mode === 'auto' && bytes > AUTO_BYTES) {
    options.progress.note(
      `the inputs are ${gigabytes(bytes)} GB: of each file only size, time and both ends are known ` +
        'to the run; run.hashInputs: always reads them whole before it begins',
    )
    return undefined
  }
  return hashFiles(files, options)
}

function totalBytes(files: readonly InputFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1)
}

async function hashFiles(
  files: readonly InputFile[],
  { progress, signal }: HashOptions,
): Promise<Record<string, string>> {
  const total = totalBytes(files)
  let done = 0
  let reported = performance.now()
  const onBytes = (count: number) => {
    done += count
    if (performance.now() - reported < REPORT_EVERY_MS) return
    reported = performance.now()
    progress.note(`reading the inputs whole: ${gigabytes(done)} of ${gigabytes(total)} GB`)
  }
  const limit = pLimit(FILES_AT_ONCE)
  const pairs = await limit.map(files, async ({ path, size, mtime }) => {
    const hash = createHash('sha256')
    try {
      signal.throwIfAborted()
      const stream = createReadStream(path, { highWaterMark: CHUNK })
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        signal.throwIfAborted()
        hash.update(chunk)
        onBytes(chunk.length)
      }
      const now = await fs.stat(path)
      if (now.size !== size || now.mtime.toISOString() !== mtime) {
        throw new InputError(`${path} changed while it was read`)
      }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof InputError) throw error
      throw new InputError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
    }
    return [path, hash.digest('hex')] as const
  })
  return Object.fromEntries(pairs)
}

/**
 * What the inputs are now, with the time that the run has for each file whose bytes are the same as
 * when it was planned: a copy is no other input.
 *
 * @throws ConfigError naming a file with other bytes, or if there is nothing to compare with
 */
export async function confirmInputs(
  { identity: stored, inputs }: RunManifest,
  identity: Identity,
  options: ConfirmOptions,
): Promise<Identity> {
  const { verifyInputs, progress } = options
  if (inputs === undefined) {
    if (!verifyInputs) return identity
    throw new ConfigError('--verify-inputs: the run was planned without hashes (run.hashInputs)')
  }
  const before = new Map(localInputs(stored.source).map((file) => [file.path, file]))
  const files = localInputs(identity.source)
  const doubtful = files.filter(({ path, size, mtime }) => {
    const known = before.get(path)
    // Another size or no such file then is another input without reading it.
    if (known === undefined || known.size !== size || inputs[path] === undefined) return false
    return verifyInputs || known.mtime !== mtime
  })
  if (doubtful.length === 0) {
    if (verifyInputs) progress.note('no local input to compare with the plan')
    return identity
  }
  const bytes = gigabytes(totalBytes(doubtful))
  progress.note(`comparing ${doubtful.length} inputs (${bytes} GB) with those of the plan`)
  const hashes = await hashFiles(doubtful, options)
  for (const { path } of doubtful) {
    if (hashes[path] === inputs[path]) continue
    throw new ConfigError(
      `${path} has other bytes than when the run was planned (sha256 ${hashes[path]}, then ` +
        `${inputs[path]}); choose another --out, or restore it`,
    )
  }
  const sameFiles = filesOf(identity.source).map((file) => {
    const { path } = file
    const known = typeof path === 'string' && path in hashes ? before.get(path) : undefined
    return known === undefined ? file : { ...file, mtime: known.mtime }
  })
  return { ...identity, source: { ...(identity.source as object), files: sameFiles } }
}
