// An image reference to a checked image, fitted to the model: from the web, a file, or bytes that came
// along.

import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { SampleError } from '../../core/errors.ts'
import type { ModelInput } from '../../core/model-input.ts'
import type { CheckedImage, FilePart, ImageRef } from '../../core/types.ts'
import { dropped } from '../../system/v8.ts'
import type { FetchOptions } from '../fetch/options.ts'
import type { ImageOptions } from './options.ts'
import { NO_HOOKS, type Hooks } from '../fetch/hooks.ts'
import { createFetcher, type FetcherDeps } from '../fetch/fetcher.ts'
import { createImageProcesses } from './processes.ts'
import { checkSniffed } from './sniff.ts'

/** Encoded bytes as they came, and what is known about how. */
export interface ReceivedImage {
  readonly bytes: Uint8Array
  /** After redirects; of a URL only. */
  readonly finalUrl?: string
  readonly attempts?: number
  /** Opt-out headers that came and did not refuse, as sent. */
  readonly directives?: readonly string[]
}

/** What hooks are told of a row. */
export interface ImageRow {
  readonly image: ImageRef
  readonly caption: string
}

/**
 * Calls may overlap freely: at most `fetch.concurrency` requests and `image.decoders` decodes run,
 * hosts take turns, and a caller's window of images bounds memory. All throw SampleError, or the
 * signal's reason when it is aborted.
 */
export interface ImageLoader {
  /** admit, receive and check in one. */
  load(row: ImageRow, signal: AbortSignal): Promise<CheckedImage>
  /** Asks the hooks whether the row is wanted at all. */
  admit(row: ImageRow): Promise<void>
  /**
   * The bytes alone, e.g. for a journal; refuses what is no image by its first bytes. Fetched bytes
   * count against `fetch.maxBytesInFlight` until `use` has ended, so it must not wait for other images.
   */
  receive<T>(
    ref: ImageRef,
    signal: AbortSignal,
    use: (image: ReceivedImage) => T | Promise<T>,
  ): Promise<T>
  /** Checks, decodes and fits received bytes; without a row no hook is asked. */
  check(encoded: Uint8Array | FilePart, signal: AbortSignal, row?: ImageRow): Promise<CheckedImage>
  close(): Promise<void>
}

/** What a loader may have beside its options. */
export interface LoaderParts {
  readonly hooks?: Hooks
  /** What images are fitted to; absent: they are checked alone. */
  readonly input?: ModelInput
  readonly deps?: FetcherDeps
}

/** Starts its processes with the first image. */
export function createImageLoader(
  { fetch, image }: { readonly fetch: FetchOptions; readonly image: ImageOptions },
  { hooks = NO_HOOKS, input, deps = {} }: LoaderParts = {},
): ImageLoader {
  const fetcher = createFetcher(fetch, { ...deps, checkUrl: (url) => hooks.checkUrl(url) })
  const processes = createImageProcesses({
    options: image,
    input,
    withPixels: hooks.wantsPixels,
  })

  const fetchOrRead = async (
    ref: ImageRef,
    signal: AbortSignal,
  ): Promise<ReceivedImage & { readonly release?: () => void }> => {
    switch (ref.kind) {
      case 'url':
        return fetcher.fetch(ref.url, { signal, onHead: (head) => void checkSniffed(head, image) })
      case 'file':
        return { bytes: await readImageFile(ref.path, fetch.maxBytes) }
      case 'bytes':
        checkLength(ref.bytes.length, ref.name, fetch.maxBytes)
        return { bytes: ref.bytes }
    }
  }
  const admit = ({ image: ref, caption }: ImageRow) => hooks.beforeFetch(ref, caption)
  const receive: ImageLoader['receive'] = async (ref, signal, use) => {
    signal.throwIfAborted()
    const { release, ...received } = await fetchOrRead(ref, signal)
    try {
      await hooks.onBytes(ref, received.bytes)
      return await use(received)
    } finally {
      release?.()
      void dropped(received.bytes.length)
    }
  }
  const check: ImageLoader['check'] = async (encoded, signal, row) => {
    signal.throwIfAborted()
    const { checked, decoded } = await processes.check(encoded, signal)
    if (row !== undefined && decoded !== undefined) {
      const { sha256, dhash } = checked
      await hooks.afterDecode({ caption: row.caption, sha256, dhash, image: decoded }, row.image)
    }
    return checked
  }
  return {
    admit,
    receive,
    check,
    load: async (row, signal) => {
      await admit(row)
      return check(await receive(row.image, signal, ({ bytes }) => bytes), signal, row)
    },
    close: async () => {
      await Promise.all([fetcher.close(), processes.close()])
    },
  }
}

/** @throws SampleError file_missing, file_unreadable, body_empty or body_too_large */
async function readImageFile(path: string, maxBytes: number): Promise<Uint8Array> {
  let file: fs.FileHandle | undefined
  try {
    // Without O_NONBLOCK a named pipe would block a thread until somebody writes to it.
    file = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile()) throw new SampleError('file_unreadable', `${path} is no regular file`)
    checkLength(stat.size, path, maxBytes)
    return await file.readFile()
  } catch (error) {
    if (error instanceof SampleError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const missing = code === 'ENOENT' || code === 'ENOTDIR'
    const reason = missing ? 'file_missing' : 'file_unreadable'
    throw new SampleError(reason, `${path}: ${code}`, { cause: error })
  } finally {
    await file?.close()
  }
}

function checkLength(length: number, name: string, maxBytes: number): void {
  if (length === 0) throw new SampleError('body_empty', `${name} has no bytes`)
  if (length > maxBytes) {
    throw new SampleError('body_too_large', `${name} has ${length} bytes; the limit is ${maxBytes}`)
  }
}
