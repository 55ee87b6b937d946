// The thread that parses Arrow: one request at a time, each with a deadline.

import { messageOf } from '../../../core/errors.ts'
import { createPool } from '../../../system/pool.ts'
import { startThread, WorkerDied, WorkerHandle } from '../../../system/worker.ts'
import type { ArrowReply, ArrowRequest } from './arrow-worker.ts'
import { DamagedFile } from './format.ts'

/** Far above what a batch takes; the thread is ended then. */
const DEADLINE_MS = 60_000
const MAX_HEAP_MB = 2048

/** A parser that corrupted bytes can only end, not keep. */
export interface ArrowThread {
  /**
   * @param deadlineMs from when the thread turns to the request
   * @throws DamagedFile if the bytes cannot be parsed, or not in that time
   */
  ask(request: ArrowRequest, deadlineMs?: number): Promise<ArrowReply>
  close(): Promise<void>
}

/** One for all sources of a process, since it takes a while to start; keeps no process alive. */
export const arrowThread = createArrowThread()

/** Starts the thread with the first request, and again after one that ended it. */
export function createArrowThread(): ArrowThread {
  const pool = createPool<ArrowRequest, ArrowReply>({
    name: 'the parser',
    count: 1,
    each: 1,
    start: () => {
      const resourceLimits = { maxOldGenerationSizeMb: MAX_HEAP_MB }
      const module = { path: './arrow-worker', from: import.meta.url }
      const worker = startThread(module, { resourceLimits })
      worker.unref()
      return new WorkerHandle(worker, 'the parser')
    },
  })
  return {
    ask: async (request, timeoutMs = DEADLINE_MS) => {
      try {
        return await pool.run(request, { timeoutMs, startCounts: true })
      } catch (error) {
        if (!(error instanceof WorkerDied)) throw new DamagedFile(messageOf(error))
        throw new DamagedFile(
          error.hung
            ? `not parsed in ${timeoutMs / 1000} s, as corrupted bytes may cause`
            : `the parser ${error.ending}`,
        )
      }
    },
    close: () => pool.close(),
  }
}
