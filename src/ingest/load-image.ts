// An image reference to a checked, decoded image: from the web, a file, or bytes that came along.

import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { SampleError } from '../core/errors.ts'
import type { ImageRef, LoadedImage } from '../core/types.ts'
import { checkSniffed, createImageChecker } from './check-image.ts'
import type { FetchOptions, ImageOptions } from './fetch-options.ts'
import { createFetcher, type FetcherDeps } from './fetch/fetcher.ts'

/** Encoded bytes as they came, and what is known about how. */
export interface ReceivedImage {
  readonly bytes: Uint8Array
  /** After redirects; of a URL only. */
  readonly finalUrl?: string
  readonly attempts?: number
  /** Opt-out headers that came and did not refuse, as sent. */
  readonly directives?: readonly string[]
}

/**
 * Calls may overlap freely: at most `fetch.concurrency` requests and `image.decoders` decodes run,
 * hosts take turns, and a caller's window of images bounds memory. All throw SampleError, or the
 * signal's reason when it is aborted.
 */
export interface ImageLoader {
  /** receive and check in one. */
  load(ref: ImageRef, signal: AbortSignal): Promise<LoadedImage>
  /** The bytes alone, e.g. for a journal; refuses what is no image by its first bytes. */
  receive(ref: ImageRef, signal: AbortSignal): Promise<ReceivedImage>
  /** Checks and decodes received bytes. */
  check(bytes: Uint8Array, signal: AbortSignal): Promise<LoadedImage>
  close(): Promise<void>
}

export function createImageLoader(
  fetch: FetchOptions,
  image: ImageOptions,
  deps: FetcherDeps = {},
): ImageLoader {
  const fetcher = createFetcher(fetch, deps)
  const checker = createImageChecker(image)

  const receive = async (ref: ImageRef, signal: AbortSignal): Promise<ReceivedImage> => {
    signal.throwIfAborted()
    switch (ref.kind) {
      case 'url':
        return fetcher.fetch(ref.url, signal, (head) => {
          checkSniffed(head, image)
        })
      case 'file':
        return { bytes: await readImageFile(ref.path, fetch.maxBytes) }
      case 'bytes':
        checkLength(ref.bytes.length, ref.name, fetch.maxBytes)
        return { bytes: ref.bytes }
    }
  }
  return {
    receive,
    check: (bytes, signal) => checker.check(bytes, signal),
    load: async (ref, signal) => checker.check((await receive(ref, signal)).bytes, signal),
    close: () => fetcher.close(),
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
    throw new SampleError(missing ? 'file_missing' : 'file_unreadable', `${path}: ${code}`, {
      cause: error,
    })
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
