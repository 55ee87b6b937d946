// The pool of threads that turn the graph's outputs into boxes.

import type { Transferable } from 'node:worker_threads'
import { createPool } from '../../system/pool.ts'
import { startThread, WorkerHandle } from '../../system/worker.ts'
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

/** Boxes off the thread of the pipeline. */
export interface BoxThreads {
  /** `detect` and `toImage`; the outputs are taken over. @throws FatalError when a thread is gone */
  detect(request: DetectRequest): Promise<readonly Candidate[]>
  /** Waits for what was asked, unless a thread is stuck. */
  close(): Promise<void>
}

/** Far above what an image takes. */
const GRACE_MS = 10_000

/** Starts this many threads at once. */
export function startBoxThreads(count: number): BoxThreads {
  let started = 0
  const pool = createPool<DetectRequest, readonly Candidate[]>({
    name: 'the pool of threads for boxes',
    count,
    each: Infinity,
    drainMs: GRACE_MS,
    start: () =>
      new WorkerHandle(
        startThread({ path: './box-worker', from: import.meta.url }),
        `thread ${started++} for boxes (box-worker)`,
      ),
  })
  pool.start(count).catch(() => undefined) // told to whoever asks
  return {
    detect: (request) => {
      const { phraseProb, boxReg, centerness } = request.outputs
      const buffers = [phraseProb, boxReg, centerness].map(({ buffer }) => buffer as Transferable)
      return pool.run(request, { transfer: buffers })
    },
    close: () => pool.close(),
  }
}
