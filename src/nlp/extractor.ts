// Captions to phrases, off the main thread. A pool of workers takes whole batches; a worker tells in shared
// memory which caption it is at, so that one that hangs can be cut out and named.

import type { Worker, WorkerOptions } from 'node:worker_threads'
import { messageOf } from '../core/errors.ts'
import { createPool, PoolClosed } from '../system/pool.ts'
import { startThread, WorkerDied, WorkerHandle } from '../system/worker.ts'
import type { PhraseInput, PhraseResult } from './find-phrases.ts'
import type { PhraseConfig } from './options.ts'

export type { PhraseInput, PhraseResult } from './find-phrases.ts'

/** Finds the phrases of captions. */
export interface PhraseExtractor {
  /** Starts a worker before it is needed: its word lists take a second to load. */
  start(): Promise<void>
  /**
   * One result per input, in order. Batches may overlap in time.
   *
   * @throws the signal's reason when aborted; Error when the extractor itself has a bug or is closed
   */
  extract(batch: readonly PhraseInput[], signal: AbortSignal): Promise<readonly PhraseResult[]>
  close(): Promise<void>
}

/** What a worker is asked; it answers with one result per input. */
export interface PhraseRequest {
  readonly inputs: readonly PhraseInput[]
  /** One Int32: index of the caption being read. */
  readonly progress: SharedArrayBuffer
}

/** Captions of this length and the worker's lists fit; a leak must not take the process with it. */
const WORKER_HEAP_MB = 512

/** Starts a thread that answers PhraseRequests; tests start others than phrase-worker.ts. */
export type StartPhraseWorker = (options: WorkerOptions) => Worker

const startPhraseWorker: StartPhraseWorker = (options) =>
  startThread({ path: './phrase-worker', from: import.meta.url }, options)

/** Workers start when they are first needed, `threads` of them at most, from 1. */
export function createPhraseExtractor(
  { caption, phrases }: PhraseConfig,
  { threads, start = startPhraseWorker }: { threads: number; start?: StartPhraseWorker },
): PhraseExtractor {
  const workerData: PhraseConfig = { caption, phrases }
  const resourceLimits = { maxOldGenerationSizeMb: WORKER_HEAP_MB }
  const pool = createPool<PhraseRequest, readonly PhraseResult[]>({
    name: 'the phrase extractor',
    count: Math.max(1, threads),
    each: 1,
    start: () => new WorkerHandle(start({ workerData, resourceLimits }), 'the phrase worker'),
  })
  const { timeoutMs } = phrases

  /** Asks a worker; when it hangs or dies at a caption, names that one and asks again for the others. */
  const extract: PhraseExtractor['extract'] = async (batch, signal) => {
    signal.throwIfAborted()
    const results = new Map<number, PhraseResult>()
    const open = [...batch.keys()]
    while (open.length > 0) {
      // Rows carry images and more; only what the worker reads is copied to it.
      const inputs = open.map((index) => {
        const { caption, supplied } = batch[index]!
        return supplied === undefined ? { caption } : { caption, supplied }
      })
      const progress = new SharedArrayBuffer(4)
      const at = () => Atomics.load(new Int32Array(progress), 0)
      try {
        const options = { timeoutMs, progress: at, signal }
        const found = await pool.run({ inputs, progress }, options)
        open.forEach((index, i) => results.set(index, found[i]!))
        break
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof PoolClosed) throw error
        if (!(error instanceof WorkerDied)) throw asBug(error, inputs[at()])
        if (!error.wasReady) throw notStarting(error)
        const detail = error.hung
          ? `no result after ${timeoutMs} ms`
          : `the phrase worker ${error.ending}`
        const [poison] = open.splice(at(), 1)
        results.set(poison!, { code: 'phrases_timeout', detail })
      }
    }
    return Array.from(batch, (_, index) => results.get(index)!)
  }
  return {
    start: () =>
      pool.start().catch((error: unknown) => {
        throw notStarting(error)
      }),
    extract,
    close: () => pool.close(),
  }
}

/** Not a caption's fault: every restart would fail the same way. */
function notStarting(error: unknown): Error {
  return new Error(`the phrase worker does not start: ${messageOf(error)}`, { cause: error })
}

function asBug(error: unknown, input: PhraseInput | undefined): Error {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new Error(`phrase extractor failed on ${JSON.stringify(input?.caption)}: ${text}`)
}
