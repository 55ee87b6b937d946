// The pool of threads that turn the graph's outputs into boxes.

import type { Transferable } from 'node:worker_threads'
import { createPool } from '../../system/pool.ts'
import { startThread, WorkerHandle } from '../../system/worker.ts'
import type { Candidate } from '../../core/types.ts'
import type { DetectRequest } from './postprocess.ts'

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
