// The processes that check images. Full-size pixels never leave them; their allocator is told to give large
// blocks back at once, which it can only be told before a process starts; and an image at which the decoder
// crashes or hangs costs a row, not the run.

import { availableParallelism } from 'node:os'
import { FatalError, SampleError } from '../../core/errors.ts'
import type { ModelInput } from '../../core/model-input.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import type { CheckedImage, DecodedImage, FilePart } from '../../core/types.ts'
import { createPool } from '../../system/pool.ts'
import { startProcess, WorkerDied, WorkerHandle } from '../../system/worker.ts'
import type { ImageOptions } from './options.ts'

/** What all requests to a process share. */
export interface ImageProcessData {
  readonly options: ImageOptions
  /** Absent: images are checked alone. */
  readonly input?: ModelInput | undefined
  /** Whether the pixels are wanted back. */
  readonly withPixels: boolean
}

/** What a process is asked: encoded bytes, or where they lie. */
export type ImageRequest = Uint8Array | FilePart

/** What is kept of an image. */
export interface ProcessedImage {
  readonly checked: CheckedImage
  readonly decoded?: DecodedImage
}

/** What a process answers: the image, or why it is none. */
export type ImageReply = ProcessedImage | { readonly code: ReasonCode; readonly detail: string }

// glibc's: blocks above 4 MB are mapped and unmapped one by one; its own rule, which learns from what is freed,
// would keep 100 MB for each of the decoder's threads.
const ENVIRONMENT = {
  MALLOC_ARENA_MAX: '4', // with fewer, threads wait for each other: 7 % more processor time
  MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 20),
}

/** Far above what a start takes on a machine that has too much to do. */
const START_MS = 300_000
const NAME = 'the process for images'

/** The decoder, out of harm's way. Starts processes with the first images. */
export function createImageProcesses(data: ImageProcessData) {
  const { processes: count, decoders, decodeTimeoutMs } = data.options
  const env = {
    ...ENVIRONMENT,
    // Threads that decode. More than cores only get in each other's way.
    UV_THREADPOOL_SIZE: String(Math.min(decoders, availableParallelism())),
  }
  const start = () => {
    const process = startProcess({ path: './process', from: import.meta.url }, data, env)
    return new WorkerHandle<ImageRequest, ImageReply>(process, NAME, START_MS)
  }
  const name = 'the pool of processes for images'
  const pool = createPool({ name, count, each: decoders, start })
  // Images that were in a process that died, one at a time, so that the one to blame is known.
  const alone = createPool({ name, count: 1, each: 1, start })
  return {
    /**
     * `createImageChecker`'s check, then `fitImage`.
     *
     * @throws SampleError as both do; decode_error or decode_timeout for an image that ends its process or
     *   keeps it; FatalError when processes do not start; the signal's reason as soon as it is aborted
     */
    check: async (encoded: ImageRequest, signal: AbortSignal): Promise<ProcessedImage> => {
      // Large images are decoded one after another.
      const together = { timeoutMs: (decoders + 1) * decodeTimeoutMs, signal }
      try {
        return imageOf(await pool.run(encoded, together))
      } catch (error) {
        checkStarted(error)
      }
      try {
        return imageOf(await alone.run(encoded, { timeoutMs: 2 * decodeTimeoutMs, signal }))
      } catch (error) {
        const { hung, ending } = checkStarted(error)
        const code = hung ? 'decode_timeout' : 'decode_error'
        throw new SampleError(code, `the decoder ${ending}`, { cause: error })
      }
    },
    /** Ends the processes, whatever they are at. */
    close: async () => {
      await Promise.all([pool.close(), alone.close()])
    },
  }
}

function imageOf(reply: ImageReply): ProcessedImage {
  if ('code' in reply) throw new SampleError(reply.code, reply.detail)
  return reply
}

/** @returns the death, if an image may be to blame for it; throws everything else */
function checkStarted(error: unknown): WorkerDied {
  if (!(error instanceof WorkerDied)) throw error
  if (error.wasReady) return error
  throw new FatalError(`${NAME} ${error.ending}`, { cause: error })
}
