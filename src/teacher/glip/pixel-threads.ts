// The pool of pixel-worker threads.

import type { Transferable } from 'node:worker_threads'
import { startWorker } from '../../core/start-worker.ts'
import type { Candidate, DecodedImage } from '../../core/types.ts'
import { Thread } from '../thread.ts'
import type { DetectOptions, GraphOutputs } from './postprocess.ts'
import type { Size } from './preprocess.ts'

interface PrepareRequest {
  readonly kind: 'prepare'
  readonly image: DecodedImage
  readonly resized: Size
  readonly padded: Size
}

interface DetectRequest {
  readonly kind: 'detect'
  readonly outputs: GraphOutputs
  readonly padded: Size
  readonly resized: Size
  readonly original: Size
  /** Index of the sample's phrase for each phrase of the prompt. */
  readonly phrases: readonly number[]
  readonly options: DetectOptions
}

export type PixelRequest = PrepareRequest | DetectRequest

export type PixelReply =
  | { readonly kind: 'prepared'; readonly pixels: Uint8Array }
  | { readonly kind: 'detected'; readonly candidates: readonly Candidate[] }

export interface PixelThreads {
  /** `prepareImage`; the image is copied, not taken over. */
  prepare(request: Omit<PrepareRequest, 'kind'>): Promise<Uint8Array>
  /** `detect` and `toImage`; the outputs are taken over. */
  detect(request: Omit<DetectRequest, 'kind'>): Promise<readonly Candidate[]>
  close(): Promise<void>
}

/** Every method throws FatalError when a thread is gone. */
export function startPixelThreads(count: number): PixelThreads {
  const threads = Array.from(
    { length: count },
    (_, index) =>
      new Thread<PixelRequest, PixelReply>(
        startWorker('./pixel-worker', import.meta.url),
        `thread ${index} for images and boxes (pixel-worker)`,
      ),
  )
  const leastBusy = () =>
    threads.reduce((best, next) => (next.pending < best.pending ? next : best))
  return {
    async prepare(request) {
      const { data } = request.image
      // A message clones the whole buffer behind a view.
      const isWhole = data.byteLength === data.buffer.byteLength
      const image = isWhole ? request.image : { ...request.image, data: data.slice() }
      const reply = await leastBusy().request({ kind: 'prepare', ...request, image })
      if (reply.kind !== 'prepared') throw new TypeError(`pixel-worker answered ${reply.kind}`)
      return reply.pixels
    },
    async detect(request) {
      const { phraseProb, boxReg, centerness } = request.outputs
      const buffers = [phraseProb, boxReg, centerness].map(({ buffer }) => buffer as Transferable)
      const reply = await leastBusy().request({ kind: 'detect', ...request }, buffers)
      if (reply.kind !== 'detected') throw new TypeError(`pixel-worker answered ${reply.kind}`)
      return reply.candidates
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}
