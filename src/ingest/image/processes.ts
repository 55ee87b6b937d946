// The processes that check images. Full-size pixels never leave them; their allocator is told to give large
// blocks back at once, which it can only be told before a process starts; and an image at which the decoder
// crashes or hangs costs a row, not the run.

import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import pLimit from 'p-limit'
import { FatalError, messageOf, SampleError } from '../../core/errors.ts'
import type { ModelInput } from '../../core/model-input.ts'
import type { ReasonCode } from '../../core/reasons.ts'
import { typescriptLoader } from '../../system/start-worker.ts'
import type { CheckedImage, DecodedImage, FilePart } from '../../core/types.ts'
import type { ImageOptions } from './options.ts'

/** What all requests to a process share. */
export interface ImageProcessData {
  readonly options: ImageOptions
  /** Absent: images are checked alone. */
  readonly input?: ModelInput
  /** Whether the pixels are wanted back. */
  readonly withPixels: boolean
}

export interface ImageRequest {
  readonly id: number
  readonly encoded: Uint8Array | FilePart
}

export interface ProcessedImage {
  readonly checked: CheckedImage
  readonly decoded?: DecodedImage
}

/** `true` once, when the process is ready. */
export type ImageReply = true | AnswerToRequest

type AnswerToRequest = { readonly id: number } & (
  | { readonly image: ProcessedImage }
  | { readonly code: ReasonCode; readonly detail: string }
  /** A bug. */
  | { readonly error: string }
)

export interface ImageProcesses {
  /**
   * `createImageChecker`'s check, then `fitImage`.
   *
   * @throws SampleError as both do; decode_error or decode_timeout for an image that ends its process or
   *   keeps it; FatalError when processes do not start
   */
  check(encoded: Uint8Array | FilePart): Promise<ProcessedImage>
  close(): Promise<void>
}

// glibc's: blocks above 4 MB are mapped and unmapped one by one; its own rule, which learns from what is freed,
// would keep 100 MB for each of the decoder's threads.
const ENVIRONMENT = {
  MALLOC_ARENA_MAX: '4', // with fewer, threads wait for each other: 7 % more processor time
  MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 20),
}

/** Starts processes with the first images. */
export function createImageProcesses(data: ImageProcessData): ImageProcesses {
  const { processes: count, decoders, decodeTimeoutMs } = data.options
  const running = new Set<ImageProcess>()
  const places = Array.from({ length: count }, () => ({
    process: undefined as ImageProcess | undefined,
    limit: pLimit(decoders),
  }))
  let isClosed = false
  const start = () => {
    // A shard that was given up may still ask; a process started for it would keep the program alive.
    if (isClosed) throw new Error('the processes for images are closed')
    const started = new ImageProcess(data)
    running.add(started)
    void started.ended.then(() => running.delete(started))
    return started
  }
  // Images that were in a process that died, each in one of its own.
  const alone = pLimit(1)
  const checkAlone = (encoded: Uint8Array | FilePart) =>
    alone(async () => {
      const process = start()
      try {
        return await process.check(encoded, 2 * decodeTimeoutMs)
      } catch (error) {
        if (!(error instanceof ProcessDied)) throw error
        const code = error.hung ? 'decode_timeout' : 'decode_error'
        throw new SampleError(code, `the decoder ${error.message}`, { cause: error })
      } finally {
        await process.close()
      }
    })
  return {
    check: (encoded) => {
      const place = places.reduce((best, next) => (load(next) < load(best) ? next : best))
      return place.limit(async () => {
        if (place.process?.isAlive !== true) place.process = start()
        try {
          // Large images are decoded one after another.
          return await place.process.check(encoded, (decoders + 1) * decodeTimeoutMs)
        } catch (error) {
          if (!(error instanceof ProcessDied)) throw error
          return checkAlone(encoded)
        }
      })
    },
    close: async () => {
      isClosed = true
      await Promise.all([...running].map((process) => process.close()))
    },
  }
}

function load({ limit }: { readonly limit: ReturnType<typeof pLimit> }): number {
  return limit.activeCount + limit.pendingCount
}

/** The process ended without an answer. */
class ProcessDied extends Error {
  /** It was ended because it did not answer in time. */
  readonly hung: boolean

  constructor(message: string, hung: boolean) {
    super(message)
    this.hung = hung
  }
}

interface Waiting {
  readonly resolve: (image: ProcessedImage) => void
  readonly reject: (error: Error) => void
}

const MAX_STDERR = 2_000

class ImageProcess {
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 0
  #hasStarted = false
  #hung = false
  #isClosing = false
  #stderr = ''

  constructor(data: ImageProcessData) {
    const isBuilt = import.meta.url.endsWith('.js')
    const file = new URL(isBuilt ? './process.js' : './process.ts', import.meta.url)
    this.#child = fork(fileURLToPath(file), [JSON.stringify(data)], {
      execArgv: isBuilt ? [] : ['--import', typescriptLoader()],
      env: {
        ...process.env,
        ...ENVIRONMENT,
        // Threads that decode. More than cores only get in each other's way.
        UV_THREADPOOL_SIZE: String(Math.min(data.options.decoders, availableParallelism())),
      },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR)
    })
    this.#child.on('message', (reply: ImageReply) => {
      if (reply === true) this.#hasStarted = true
      else this.#settle(reply)
    })
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#end(messageOf(error)) // it could not be started
        resolve()
      })
      this.#child.on('exit', (code, signal) => {
        this.#end(signal ?? `code ${code}`)
        resolve()
      })
    })
  }

  get isAlive(): boolean {
    return this.#child.connected
  }

  /** @throws ProcessDied, SampleError, FatalError */
  async check(encoded: Uint8Array | FilePart, timeoutMs: number): Promise<ProcessedImage> {
    const id = this.#nextId++
    const timer = setTimeout(() => {
      this.#hung = true
      this.#child.kill('SIGKILL')
    }, timeoutMs)
    try {
      return await new Promise<ProcessedImage>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject })
        // Whatever cannot be sent, the process is about to end, or has: that is told by its end.
        this.#child.send({ id, encoded } satisfies ImageRequest, () => undefined)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#child.connected) this.#child.disconnect()
    await this.ended
  }

  #settle(reply: AnswerToRequest): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('image' in reply) waiting?.resolve(reply.image)
    else if ('code' in reply) waiting?.reject(new SampleError(reply.code, reply.detail))
    else waiting?.reject(new Error(reply.error))
  }

  #end(how: string): void {
    const text = this.#stderr.trim().split('\n').at(-1) ?? ''
    const message = this.#hung
      ? 'did not end'
      : `ended with ${how}${text === '' ? '' : `: ${text}`}`
    // If it never began to work, the images are not to blame.
    const error =
      this.#hasStarted || this.#hung || this.#isClosing
        ? new ProcessDied(message, this.#hung)
        : new FatalError(`the process for images ${message}`)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
