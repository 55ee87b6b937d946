// A graph in a thread of its own: opened on one execution provider, run by messages, drained at the end.

import { availableParallelism } from 'node:os'
import type { Transferable } from 'node:worker_threads'
import type { Provider } from './options.ts'
import { startThread, WorkerHandle } from '../system/worker.ts'

/** A tensor in messages; row-major. */
export type TensorData =
  | { readonly type: 'uint8'; readonly data: Uint8Array; readonly dims: readonly number[] }
  | { readonly type: 'int64'; readonly data: BigInt64Array; readonly dims: readonly number[] }
  | FloatTensor

/** Row-major; the only type of outputs. */
export interface FloatTensor {
  readonly type: 'float32'
  readonly data: Float32Array
  readonly dims: readonly number[]
}

/** What the thread is asked; `open` once, first. */
export type OnnxRequest =
  | {
      readonly kind: 'open'
      readonly file: string
      readonly provider: Provider
      readonly threads: number
    }
  | { readonly kind: 'run'; readonly feeds: Readonly<Record<string, TensorData>> }

/** What a graph says of one of its inputs or outputs. */
export interface TensorInfo {
  readonly name: string
  readonly type: string
  /** Free dimensions by name. */
  readonly shape: readonly (number | string)[]
}

/** Its answers, one kind for each kind of request. */
export type OnnxReply =
  | {
      readonly kind: 'opened'
      readonly inputs: readonly TensorInfo[]
      readonly outputs: readonly TensorInfo[]
    }
  | ({ readonly kind: 'ran' } & RunResult)

/** What a graph gives for one batch. */
export interface RunResult {
  readonly outputs: Readonly<Record<string, FloatTensor>>
  /** Time inside the runtime. */
  readonly milliseconds: number
}

/** An open graph. */
export interface OnnxSession {
  readonly provider: Provider
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /**
   * Runs queue up; a run cannot be cancelled.
   *
   * @param feeds by input name; their buffers are handed over and empty afterwards
   * @throws FatalError when the thread is gone; Error with the runtime's message when this run failed
   */
  run(feeds: Readonly<Record<string, TensorData>>): Promise<RunResult>
  /** Waits for the runs that were asked for, frees the session, ends the thread. */
  close(): Promise<void>
}

/** How a graph is opened. */
export interface OnnxOptions {
  readonly provider: Provider
  /** Threads of the CPU provider; 0 for one per core. */
  readonly threads: number
  /** For messages. */
  readonly name: string
}

/** @throws Error with the runtime's message when it cannot open the file on this provider */
export async function openOnnx(
  file: string,
  { provider, threads, name }: OnnxOptions,
): Promise<OnnxSession> {
  const thread = new WorkerHandle<OnnxRequest, OnnxReply>(
    startThread({ path: './onnx-worker', from: import.meta.url }),
    `the thread that runs ${name} (onnx-worker, provider ${provider})`,
  )
  let reply: OnnxReply
  try {
    reply = await thread.request({
      kind: 'open',
      file,
      provider,
      threads: threads === 0 ? availableParallelism() : threads,
    })
  } catch (error) {
    await thread.close()
    throw error
  }
  if (reply.kind !== 'opened') throw new TypeError(`onnx-worker answered ${reply.kind} to open`)
  return {
    provider,
    inputs: reply.inputs,
    outputs: reply.outputs,
    async run(feeds) {
      const transfer = Object.values(feeds).map(({ data }) => data.buffer as Transferable)
      const result = await thread.request({ kind: 'run', feeds }, { transfer })
      if (result.kind !== 'ran') throw new TypeError(`onnx-worker answered ${result.kind} to run`)
      return result
    },
    close: () => thread.close(),
  }
}
