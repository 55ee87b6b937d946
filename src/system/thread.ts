// Requests to a worker thread and its side of them. A thread that ends before it is asked to is fatal for
// whoever needs it; it is never terminated from outside, since ONNX Runtime would abort the process.

import { parentPort, type Transferable, type Worker } from 'node:worker_threads'
import { FatalError, messageOf } from '../core/errors.ts'

type ToThread<Request> =
  { readonly id: number; readonly request: Request } | { readonly close: true }
type FromThread<Reply> =
  { readonly id: number; readonly reply: Reply } | { readonly id: number; readonly error: string }

interface Waiting<Reply> {
  resolve(reply: Reply): void
  reject(error: Error): void
}

/** A worker thread that answers requests in their order. */
export class Thread<Request, Reply> {
  readonly #worker: Worker
  readonly #name: string
  readonly #waiting = new Map<number, Waiting<Reply>>()
  readonly #exited: Promise<void>
  #nextId = 0
  #isClosing = false
  #death: FatalError | undefined

  /** @param name for messages: what the thread does and for which model */
  constructor(worker: Worker, name: string) {
    this.#worker = worker
    this.#name = name
    worker.on('message', (message: FromThread<Reply>) => {
      this.#settle(message)
    })
    worker.on('error', (error) => {
      this.#die(messageOf(error), error)
    })
    worker.on('messageerror', (error) => {
      this.#die(`its message cannot be read: ${messageOf(error)}`, error)
    })
    this.#exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        if (!this.#isClosing || this.#waiting.size > 0) this.#die(`it ended with code ${code}`)
        resolve()
      })
    })
  }

  /** Requests without an answer yet. */
  get pending(): number {
    return this.#waiting.size
  }

  /**
   * @param transfer buffers of the request that the thread may take over
   * @throws FatalError when the thread is gone; Error with the thread's message when the request failed
   */
  async request(request: Request, transfer: readonly Transferable[] = []): Promise<Reply> {
    if (this.#death !== undefined) throw this.#death
    if (this.#isClosing) throw new Error(`${this.#name} is closed`)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#post({ id, request }, transfer)
    })
  }

  /** Lets the thread finish what it was asked, then waits for its end. */
  async close(): Promise<void> {
    if (!this.#isClosing && this.#death === undefined) {
      this.#isClosing = true
      this.#post({ close: true }, [])
    }
    await this.#exited
  }

  #post(message: ToThread<Request>, transfer: readonly Transferable[]): void {
    this.#worker.postMessage(message, transfer)
  }

  #settle(message: FromThread<Reply>): void {
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if ('error' in message) waiting?.reject(new Error(message.error))
    else waiting?.resolve(message.reply)
  }

  #die(reason: string, cause?: unknown): void {
    this.#death ??= new FatalError(`${this.#name} died: ${reason}`, { cause })
    for (const waiting of this.#waiting.values()) waiting.reject(this.#death)
    this.#waiting.clear()
  }
}

/** A reply and which of its buffers need not be copied. */
export interface Answer<Reply> {
  readonly reply: Reply
  readonly transfer?: readonly Transferable[]
}

/**
 * The thread's side: answers one request after another; on `close` frees what it holds and lets the
 * thread end.
 */
export function serve<Request, Reply>(
  answer: (request: Request) => Answer<Reply> | Promise<Answer<Reply>>,
  close: () => void | Promise<void> = () => undefined,
): void {
  const port = parentPort
  if (port === null) throw new Error('serve() is for worker threads')
  let last: Promise<void> = Promise.resolve()
  port.on('message', (message: ToThread<Request>) => {
    last = last.then(async () => {
      if ('close' in message) {
        await close()
        port.close()
        return
      }
      const { id, request } = message
      let reply: FromThread<Reply>
      let transfer: readonly Transferable[] = []
      try {
        const result = await answer(request)
        reply = { id, reply: result.reply }
        transfer = result.transfer ?? []
      } catch (error) {
        reply = { id, error: messageOf(error) }
      }
      port.postMessage(reply, transfer)
    })
  })
}
