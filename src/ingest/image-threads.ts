// The pool of threads that check images: full-size pixels never leave them.

import { SampleError } from '../core/errors.ts'
import type { ModelInput } from '../core/model-input.ts'
import type { ReasonCode } from '../core/reasons.ts'
import { startWorker } from '../core/start-worker.ts'
import { leastBusy, Thread } from '../core/thread.ts'
import type { DecodedImage, LoadedImage } from '../core/types.ts'
import type { ImageOptions } from './fetch-options.ts'

/** What every request to a thread shares. */
export interface ImageThreadData {
  readonly options: ImageOptions
  /** Absent: images are checked alone. */
  readonly input?: ModelInput
  /** Whether the pixels are wanted back. */
  readonly withPixels: boolean
}

export type ImageReply =
  | {
      readonly loaded: LoadedImage
      readonly decoded?: DecodedImage
    }
  | { readonly code: ReasonCode; readonly detail: string }

export type ThreadImage = Exclude<ImageReply, { readonly code: ReasonCode }>

export interface ImageThreads {
  /**
   * `createImageChecker`'s check, then `fitImage`.
   *
   * @param bytes taken over if they fill their buffer, copied otherwise; they come back in the result
   * @throws SampleError as both do; FatalError when a thread is gone
   */
  check(bytes: Uint8Array): Promise<ThreadImage>
  close(): Promise<void>
}

/** Starts the threads with the first image. */
export function createImageThreads(data: ImageThreadData): ImageThreads {
  let threads: Thread<Uint8Array, ImageReply>[] | undefined
  const start = () =>
    Array.from(
      { length: data.options.threads },
      (_, index) =>
        new Thread<Uint8Array, ImageReply>(
          startWorker('./image-worker', import.meta.url, {
            workerData: data,
            resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
          }),
          `thread ${index} for images (image-worker)`,
        ),
    )
  return {
    check: async (bytes) => {
      threads ??= start()
      const { buffer } = bytes
      const isWhole = bytes.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer
      // A message clones the whole buffer behind a view.
      const reply = await (isWhole
        ? leastBusy(threads).request(bytes, [buffer])
        : leastBusy(threads).request(new Uint8Array(bytes)))
      if ('code' in reply) throw new SampleError(reply.code, reply.detail)
      return reply
    },
    close: async () => {
      await Promise.all((threads ?? []).map((thread) => thread.close()))
    },
  }
}

/** Its garbage is small objects that hold large buffers: the sooner it is looked at, the fewer wait. */
const YOUNG_GENERATION_MB = 2
