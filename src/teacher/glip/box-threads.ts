// The pool of threads that turn the graph's outputs into boxes.

import type { Transferable } from 'node:worker_threads'
import { startWorker } from '../../system/start-worker.ts'
import { Thread } from '../../system/thread.ts'
import type { Candidate, Size } from '../../core/types.ts'
import type { DetectOptions, GraphOutputs } from './postprocess.ts'

/** Outputs of one prompt on one image. */
export interface DetectRequest {
  readonly outputs: GraphOutputs
  readonly padded: Size
  readonly resized: Size
  readonly original: Size
  /** Index of the sample's phrase for each phrase of the prompt. */
  readonly phrases: readonly number[]
  readonly options: DetectOptions
}

/** Threads with one queue each; a request goes to the shortest. */
export interface BoxThreads {
  /** `detect` and `toImage`; the outputs are taken over. @throws FatalError when a thread is gone */
  detect(request: DetectRequest): Promise<readonly Candidate[]>
  close(): Promise<void>
}

/** @param count threads, at least 1 */
export function startBoxThreads(count: number): BoxThreads {
  const threads = Array.from(
    { length: count },
    (_, index) =>
      new Thread<DetectRequest, readonly Candidate[]>(
        startWorker('./box-worker', import.meta.url),
        `thread ${index} for boxes (box-worker)`,
      ),
  )
  return {
    detect: (request) => {
      const { phraseProb, boxReg, centerness } = request.outputs
      const buffers = [phraseProb, boxReg, centerness].map(({ buffer }) => buffer as Transferable)
      const leastBusy = threads.reduce((best, next) => (next.pending < best.pending ? next : best))
      return leastBusy.request(request, buffers)
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}
