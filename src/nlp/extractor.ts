// Captions to phrases, off the main thread. A pool of workers takes whole batches; each worker tells
// in shared memory which caption it is at, so that one that hangs can be cut out and named.

import type { Worker, WorkerOptions } from 'node:worker_threads'
import { startWorker } from '../system/start-worker.ts'
import type { PhraseInput, PhraseResult } from './find-phrases.ts'
import type { CaptionOptions, PhraseOptions } from './options.ts'

export type { PhraseInput, PhraseResult } from './find-phrases.ts'

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

/** To the worker. */
export interface WorkerRequest {
  readonly inputs: readonly PhraseInput[]
}

/** From the worker; `ready` once, then one answer per request. */
export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly results: readonly PhraseResult[] }
  | { readonly kind: 'bug'; readonly index: number; readonly error: string }

export interface WorkerData {
  readonly caption: CaptionOptions
  readonly phrases: PhraseOptions
  /** One Int32: index of the caption being read. */
  readonly progress: SharedArrayBuffer
}

interface Slot {
  readonly worker: Worker
  readonly progress: Int32Array
  /** Resolved by the worker's next answer, rejected when the thread ends. */
  settle: { resolve: (reply: WorkerReply) => void; reject: (error: Error) => void } | undefined
}

/** Captions of this length and the worker's lists fit; a leak must not take the process with it. */
const WORKER_HEAP_MB = 512

/** Starts a thread that speaks the protocol above; tests start others than phrase-worker.ts. */
export type StartPhraseWorker = (options: WorkerOptions) => Worker

const startPhraseWorker: StartPhraseWorker = (options) =>
  startWorker('./phrase-worker', import.meta.url, options)

/**
 * Workers start when they are first needed.
 *
 * @param threads workers at most, from 1
 */
export function createPhraseExtractor(
  caption: CaptionOptions,
  phrases: PhraseOptions,
  threads: number,
  start: StartPhraseWorker = startPhraseWorker,
): PhraseExtractor {
  return new ExtractorPool({ caption, phrases }, Math.max(1, threads), start)
}

class ExtractorPool implements PhraseExtractor {
  readonly #options: { readonly caption: CaptionOptions; readonly phrases: PhraseOptions }
  readonly #threads: number
  readonly #idle: Slot[] = []
  readonly #slots = new Set<Slot>()
  readonly #waiting: (() => void)[] = []
  #busy = 0
  #closed = false

  readonly #startWorker: StartPhraseWorker

  constructor(
    options: { readonly caption: CaptionOptions; readonly phrases: PhraseOptions },
    threads: number,
    start: StartPhraseWorker,
  ) {
    this.#options = options
    this.#threads = threads
    this.#startWorker = start
  }

  async extract(
    batch: readonly PhraseInput[],
    signal: AbortSignal,
  ): Promise<readonly PhraseResult[]> {
    signal.throwIfAborted()
    if (batch.length === 0) return []
    // Rows carry images and more; only what the worker reads is copied to it.
    const inputs = batch.map(({ caption, supplied }) =>
      supplied === undefined ? { caption } : { caption, supplied },
    )
    const work = this.#inTurn(() => this.#solve(inputs, signal))
    return untilAborted(work, signal)
  }

  async start(): Promise<void> {
    await this.#inTurn(async () => {
      this.#idle.push(this.#idle.pop() ?? (await this.#start()))
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#slots].map(({ worker }) => worker.terminate()))
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    while (this.#busy >= this.#threads) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
      this.#waiting.shift()?.()
    }
  }

  /** Asks a worker; when it hangs or dies at a caption, names that one and asks again for the others. */
  async #solve(
    inputs: readonly PhraseInput[],
    signal: AbortSignal,
  ): Promise<readonly PhraseResult[]> {
    const results = new Map<number, PhraseResult>()
    let open = inputs.map((_, index) => index)
    while (open.length > 0) {
      signal.throwIfAborted()
      const answer = await this.#ask(open.map((index) => inputs[index]!))
      if ('results' in answer) {
        open.forEach((index, i) => results.set(index, answer.results[i]!))
        break
      }
      const poison = open[answer.at]!
      results.set(poison, { code: 'phrases_timeout', detail: answer.detail })
      open = open.filter((index) => index !== poison)
    }
    return inputs.map((_, index) => results.get(index)!)
  }

  async #ask(
    inputs: readonly PhraseInput[],
  ): Promise<
    { readonly results: readonly PhraseResult[] } | { readonly at: number; readonly detail: string }
  > {
    const slot = this.#idle.pop() ?? (await this.#start())
    Atomics.store(slot.progress, 0, 0)
    const answer = this.#nextReply(slot)
    slot.worker.postMessage({ inputs } satisfies WorkerRequest)
    const watch = watchProgress(slot, this.#options.phrases.timeoutMs)
    try {
      const reply = await Promise.race([answer, watch.stuck])
      if (reply.kind === 'stuck') {
        await this.#discard(slot)
        return { at: reply.index, detail: `no result after ${this.#options.phrases.timeoutMs} ms` }
      }
      this.#idle.push(slot)
      if (reply.kind === 'done') return { results: reply.results }
      throw new Error(
        reply.kind === 'bug'
          ? `phrase extractor failed on ${JSON.stringify(inputs[reply.index]?.caption)}: ${reply.error}`
          : `unexpected answer of the phrase worker: ${reply.kind}`,
      )
    } catch (error) {
      if (!(error instanceof WorkerEnded) || this.#closed) throw error
      await this.#discard(slot)
      return { at: Atomics.load(slot.progress, 0), detail: error.message }
    } finally {
      watch.stop()
    }
  }

  async #start(): Promise<Slot> {
    if (this.#closed) throw new Error('the phrase extractor is closed')
    const progress = new SharedArrayBuffer(4)
    const workerData: WorkerData = { ...this.#options, progress }
    const worker = this.#startWorker({
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    })
    const slot: Slot = { worker, progress: new Int32Array(progress), settle: undefined }
    this.#slots.add(slot)
    worker.on('message', (reply: WorkerReply) => {
      slot.settle?.resolve(reply)
      slot.settle = undefined
    })
    const end = (why: string) => {
      slot.settle?.reject(new WorkerEnded(why))
      slot.settle = undefined
      this.#slots.delete(slot)
      const at = this.#idle.indexOf(slot)
      if (at >= 0) this.#idle.splice(at, 1)
    }
    worker.on('error', (error) => end(`the phrase worker died: ${String(error)}`))
    worker.on('exit', (code) => end(`the phrase worker ended with code ${code}`))
    try {
      await this.#nextReply(slot)
    } catch (error) {
      // Not a caption's fault: every restart would fail the same way.
      throw new Error(`the phrase worker does not start: ${String(error)}`, { cause: error })
    }
    return slot
  }

  #nextReply(slot: Slot): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      slot.settle = { resolve, reject }
    })
  }

  async #discard(slot: Slot): Promise<void> {
    slot.settle = undefined
    this.#slots.delete(slot)
    await slot.worker.terminate()
  }
}

class WorkerEnded extends Error {}

/** Resolves with the caption's index when the worker stays at one caption for longer than the limit. */
function watchProgress(slot: Slot, limitMs: number) {
  let last = -1
  let since = Date.now()
  let timer: NodeJS.Timeout | undefined
  const stuck = new Promise<{ readonly kind: 'stuck'; readonly index: number }>((resolve) => {
    timer = setInterval(
      () => {
        const index = Atomics.load(slot.progress, 0)
        if (index !== last) {
          last = index
          since = Date.now()
        } else if (Date.now() - since >= limitMs) resolve({ kind: 'stuck', index })
      },
      Math.ceil(limitMs / 10),
    )
  })
  return { stuck, stop: () => clearInterval(timer) }
}

/** The work itself goes on, for its worker is not at fault; its result is not waited for. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
