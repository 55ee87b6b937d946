// Threads and processes that answer requests, from the side of whoever asks; serve.ts is theirs. One protocol,
// so that a deadline, a death and an end mean the same for both.

import { fork, type ChildProcess } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker, type Transferable, type WorkerOptions } from 'node:worker_threads'
import { FatalError, messageOf } from '../core/errors.ts'
import type { FromWorker, ToWorker } from './serve.ts'

/** What a worker runs: a module relative to its caller, without an extension, and the caller's import.meta.url. */
export interface WorkerModule {
  readonly path: string
  readonly from: string
}

/**
 * The module's file: built code starts the .js beside it, code run from TypeScript the .ts. The tests, which make
 * the build first, set GROUNDMILL_BUILT_WORKERS: theirs start the build's, in half the time.
 */
function codeOf({ path, from }: WorkerModule): URL {
  if (!from.endsWith('.ts')) return new URL(`${path}.js`, from)
  const source = new URL(`${path}.ts`, from)
  const built = new URL(source.href.replace(/^(.*)\/src\/(.*)\.ts$/, '$1/dist/$2.js'))
  const isBuilt = process.env['GROUNDMILL_BUILT_WORKERS'] === '1' && existsSync(built)
  return isBuilt ? built : source
}

/**
 * Starts a module as a worker thread. TypeScript needs tsx inside the thread, because Node 20 ignores the
 * parent's loaders there.
 */
export function startThread(module: WorkerModule, options: WorkerOptions = {}): Worker {
  const code = codeOf(module)
  if (!code.href.endsWith('.ts')) return new Worker(code, options)
  // The module build: the CommonJS one, which require() finds, looks for its loader in the wrong folder.
  const tsx = resolveUrl('tsx/esm/api').replace(/\.cjs$/, '.mjs')
  const text = `import(${JSON.stringify(tsx)}).then(({ register }) => {
    register()
    return import(${JSON.stringify(code.href)})
  })`
  return new Worker(text, { ...options, eval: true })
}

/**
 * Starts a module as a process.
 *
 * @param data for its `process.argv[2]`, as JSON
 * @param env added to the environment
 */
export function startProcess(
  module: WorkerModule,
  data: unknown,
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const code = codeOf(module)
  return fork(fileURLToPath(code), [JSON.stringify(data)], {
    execArgv: code.href.endsWith('.ts') ? ['--import', resolveUrl('tsx')] : [],
    env: { ...process.env, ...env },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
}

function resolveUrl(module: string): string {
  return pathToFileURL(createRequire(import.meta.url).resolve(module)).href
}

/** A worker ended without an answer: fatal, unless whoever asked knows better. */
export class WorkerDied extends FatalError {
  /** To follow the worker's name: "ended with code 3", "died: out of memory", "did not end". */
  readonly ending: string
  /** It was ended because it did not answer in time. */
  readonly hung: boolean
  /** It was ready before; if not, no request is to blame. */
  readonly wasReady: boolean

  constructor(name: string, facts: Pick<WorkerDied, 'ending' | 'hung' | 'wasReady' | 'cause'>) {
    const { ending, hung, wasReady, cause } = facts
    super(`${name} ${ending.startsWith('died') ? '' : 'died: it '}${ending}`, { cause })
    this.ending = ending
    this.hung = hung
    this.wasReady = wasReady
  }
}

/** Of one request. */
export interface RequestOptions {
  /** Buffers of the request that a thread may take over. */
  readonly transfer?: readonly Transferable[]
  /** The worker is ended when it takes longer. Absent: it may take as long as it likes. */
  readonly timeoutMs?: number
  /** What changes while the worker gets on: the time begins anew then. */
  readonly progress?: () => number
  /** Whether the start of the worker counts; else the time begins when it is ready. */
  readonly startCounts?: boolean
}

interface Waiting<Reply> {
  resolve(reply: Reply): void
  reject(error: Error): void
}

const MAX_STDERR = 2_000

/** A thread or process that answers requests; it may outlive any of them, and dies once. */
export class WorkerHandle<Request, Reply> {
  /** Settles when the worker is ready, or is dead before; nobody need listen. */
  readonly ready: Promise<void>
  readonly #worker: Worker | ChildProcess
  readonly #name: string
  readonly #waiting = new Map<number, Waiting<Reply>>()
  readonly #exited: Promise<void>
  readonly #onReady: Waiting<void>
  #nextId = 0
  #answered = 0
  #isReady = false
  #isClosing = false
  #hung = false
  #death: WorkerDied | undefined
  #stderr = ''

  /**
   * @param name for messages: what the worker does and for which model
   * @param startMs a worker that is not ready by then is ended; absent: it may take as long as it likes
   */
  constructor(worker: Worker | ChildProcess, name: string, startMs?: number) {
    this.#worker = worker
    this.#name = name
    let onReady: Waiting<void> | undefined
    this.ready = new Promise((resolve, reject) => (onReady = { resolve, reject }))
    this.#onReady = onReady!
    const stopWatch = this.#watch(startMs, () => 0)
    this.ready.then(stopWatch, stopWatch)
    if (!(worker instanceof Worker)) {
      worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.#stderr = (this.#stderr + text).slice(-MAX_STDERR)
      })
    }
    // What both have in common: the same events, with other types.
    const events: EventEmitter = worker
    events.on('message', (message: FromWorker<Reply>) => this.#settle(message))
    events.on('messageerror', (error) =>
      this.#die(`died: its message cannot be read: ${messageOf(error)}`, error),
    )
    this.#exited = new Promise((resolve) => {
      events.on('error', (error) => {
        this.#die(`died: ${messageOf(error)}`, error)
        if (!(worker instanceof Worker)) resolve() // it could not be started
      })
      events.on('exit', (code: number | null, signal?: NodeJS.Signals) => {
        const text = this.#stderr.trim().split('\n').at(-1) ?? ''
        const how = `ended with ${signal ?? `code ${code}`}${text === '' ? '' : `: ${text}`}`
        const stuck = this.#isReady ? 'did not end' : 'did not start in time'
        if (!this.#isClosing || this.#waiting.size > 0) this.#die(this.#hung ? stuck : how)
        resolve()
      })
    })
  }

  /** Requests without an answer yet. */
  get pending(): number {
    return this.#waiting.size
  }

  /** False once it has died or is to end. */
  get isAlive(): boolean {
    return this.#death === undefined && !this.#isClosing
  }

  /**
   * @throws WorkerDied when the worker is gone or ended for taking too long; Error with the worker's own
   *   message and stack when the request failed
   */
  async request(request: Request, options: RequestOptions = {}): Promise<Reply> {
    if (this.#death !== undefined) throw this.#death
    if (this.#isClosing) throw new Error(`${this.#name} is closed`)
    const { transfer = [], timeoutMs, progress = () => 0, startCounts = false } = options
    const id = this.#nextId++
    // NaN is never the same: no time passes until the worker is ready.
    const look = () => (this.#isReady || startCounts ? progress() : NaN)
    const stopWatch = this.#watch(timeoutMs, look)
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject })
        this.#post({ id, request }, transfer)
      })
    } finally {
      stopWatch()
    }
  }

  /**
   * Lets the worker finish what it was asked, then waits for its end.
   *
   * @param graceMs without an answer, after which it is ended; absent: never, for a thread that blocks in
   *   native code, whose end would abort the process
   */
  async close(graceMs?: number): Promise<void> {
    const stopWatch = this.#watch(graceMs, () => this.#answered)
    if (this.isAlive) {
      this.#isClosing = true
      this.#post({ close: true }, [])
    }
    await this.#exited
    stopWatch()
  }

  /** Ends the worker at once, whatever it is at. */
  async kill(): Promise<void> {
    this.#isClosing = true
    if (this.#worker instanceof Worker) await this.#worker.terminate()
    else this.#worker.kill('SIGKILL')
    await this.#exited
  }

  /** Ends the worker when what is looked at stays the same for so long; returns how to stop that. */
  #watch(limitMs: number | undefined, look: () => number): () => void {
    if (limitMs === undefined) return () => undefined
    let [last, ticks] = [0, 0]
    // Counted, not read from a clock: while this thread has no time to look, none passes for the worker.
    const timer = setInterval(
      () => {
        const now = look()
        ticks = now === last ? ticks + 1 : 0
        last = now
        if (ticks < TICKS) return
        clearInterval(timer)
        this.#hung = true
        void this.kill()
      },
      Math.ceil(limitMs / TICKS),
    )
    return () => clearInterval(timer)
  }

  #post(message: ToWorker<Request>, transfer: readonly Transferable[]): void {
    if (this.#worker instanceof Worker) this.#worker.postMessage(message, transfer)
    // What cannot be sent is told by the end of the process, which has come or is about to.
    else this.#worker.send(message, () => undefined)
  }

  #settle(message: FromWorker<Reply>): void {
    if ('ready' in message) {
      this.#isReady = true
      this.#onReady.resolve()
      return
    }
    this.#answered++
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if ('reply' in message) waiting?.resolve(message.reply)
    else {
      const error = new Error(message.error)
      if (message.stack !== undefined) error.stack = message.stack
      waiting?.reject(error)
    }
  }

  #die(ending: string, cause?: unknown): void {
    const facts = { ending, hung: this.#hung, wasReady: this.#isReady, cause }
    this.#death ??= new WorkerDied(this.#name, facts)
    this.#onReady.reject(this.#death)
    for (const waiting of this.#waiting.values()) waiting.reject(this.#death)
    this.#waiting.clear()
  }
}

/** Looks at a worker in the time it may take. */
const TICKS = 10
