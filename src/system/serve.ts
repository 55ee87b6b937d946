// A worker's side of the protocol: the same for a thread and for a process. worker.ts is the other side.

import { parentPort, type Transferable } from 'node:worker_threads'
import { messageOf } from '../core/errors.ts'

/** What a worker is sent. */
export type ToWorker<Request> =
  { readonly id: number; readonly request: Request } | { readonly close: true }

/** What it sends back: once that it is ready, then one message per request. */
export type FromWorker<Reply> =
  | { readonly ready: true }
  | { readonly id: number; readonly reply: Reply }
  | { readonly id: number; readonly error: string; readonly stack: string | undefined }

/** A reply and which of its buffers a thread hands over instead of copying. */
export interface Handover<Reply> {
  readonly reply: Reply
  readonly transfer?: readonly Transferable[]
}

/** How a worker answers. */
export interface ServeOptions {
  /** Answers requests side by side, not one after another. */
  readonly overlap?: boolean
  /** Frees what the worker holds, before it ends in good order. */
  readonly close?: () => void | Promise<void>
}

/**
 * Answers requests from now on; what `answer` throws is told by its message. On `close` it ends once what was
 * asked is answered. A process ends when whoever started it is gone, and leaves signals to that one: a terminal
 * sends them to the whole group.
 */
export function serve<Request, Reply>(
  answer: (request: Request) => Handover<Reply> | Promise<Handover<Reply>>,
  { overlap = false, close = () => undefined }: ServeOptions = {},
): void {
  const port = parentPort
  const post = (message: FromWorker<Reply>, transfer: readonly Transferable[] = []): void => {
    if (port !== null) port.postMessage(message, transfer)
    else if (process.connected) process.send?.(message)
  }
  const answerOne = async (id: number, request: Request): Promise<void> => {
    try {
      const { reply, transfer } = await answer(request)
      post({ id, reply }, transfer)
    } catch (error) {
      post({ id, error: messageOf(error), stack: error instanceof Error ? error.stack : undefined })
    }
  }
  let last: Promise<unknown> = Promise.resolve()
  const onMessage = (message: ToWorker<Request>): void => {
    if ('close' in message) {
      last = last.then(close).then(() => (port === null ? process.disconnect() : port.close()))
    } else {
      const { id, request } = message
      const answered = overlap ? answerOne(id, request) : last.then(() => answerOne(id, request))
      last = overlap ? last.then(() => answered) : answered
    }
  }
  if (port === null) {
    process.on('message', onMessage)
    process.on('disconnect', () => process.exit())
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined)
  } else port.on('message', onMessage)
  post({ ready: true })
}
