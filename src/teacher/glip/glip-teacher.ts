// The teacher of a GLIP graph: samples in, candidates out, in order. While the graph runs one batch, the
// next one is queued before it and the last one becomes boxes behind it.

import pLimit from 'p-limit'
import { FatalError, InputError, messageOf, SampleError } from '../../core/errors.ts'
import type { ModelInput } from '../../core/model-input.ts'
import type { Candidate } from '../../core/types.ts'
import { Batcher } from '../batcher.ts'
import type { ModelFolder } from '../model-folder.ts'
import type { OnnxSession } from '../onnx-session.ts'
import type { PromptOptions } from '../options.ts'
import type { Grounding, Teacher, TeacherSample } from '../teacher.ts'
import type { BoxThreads } from './box-threads.ts'
import { feedsOf, outputsOf } from './glip-graph.ts'
import type { DetectOptions } from './postprocess.ts'
import { buildPrompts, type Prompt } from './prompts.ts'

export interface GlipSettings {
  readonly prompt: PromptOptions
  readonly maxTokens: number
  readonly input: ModelInput
  readonly batchSize: number
  readonly detect: DetectOptions
}

/** What the teacher is made of; `close` closes both. */
export interface GlipParts {
  readonly folder: ModelFolder
  readonly session: OnnxSession
  readonly boxes: BoxThreads
}

/** Groups of prompts that a partial batch waits for others of its size, in batches. */
export const WINDOW_BATCHES = 4
/** Batches at work at once: one in the graph, one before it, one behind it. */
const BATCHES_AT_WORK = 3
/** A model that fails this often in a row would fail for ever, and every row would be lost. */
const MAX_FAILURES = 3

/** One sample on its way. */
interface Entry<S> {
  readonly sample: S
  /** Candidates of each prompt; undefined until its batch is done. */
  readonly found: (readonly Candidate[] | undefined)[]
  readonly dropped: readonly number[]
  missing: number
  error: SampleError | undefined
}

/** One prompt of one sample. */
interface Row<S> {
  readonly entry: Entry<S>
  readonly index: number
  readonly prompt: Prompt
}

export class GlipTeacher implements Teacher {
  readonly id: string
  readonly sha256: string
  readonly provider: string
  readonly defaultScore: number
  readonly input: ModelInput
  readonly #parts: GlipParts
  readonly #settings: GlipSettings
  readonly #atWork = pLimit(BATCHES_AT_WORK)
  #failures = 0
  #busyMs = 0

  constructor(parts: GlipParts, settings: GlipSettings) {
    this.id = parts.folder.description.id
    this.sha256 = parts.folder.sha256
    this.provider = parts.session.provider
    this.defaultScore = parts.folder.description.defaultScore
    this.input = settings.input
    this.#parts = parts
    this.#settings = settings
  }

  get busySeconds(): number {
    return this.#busyMs / 1000
  }

  async *groundShard<S extends TeacherSample>(
    samples: AsyncIterable<S>,
    signal: AbortSignal,
  ): AsyncGenerator<Grounding<S>> {
    const { batchSize } = this.#settings
    const window = batchSize === 1 ? 0 : WINDOW_BATCHES * batchSize
    const maxAhead = window + BATCHES_AT_WORK * batchSize
    const batcher = new Batcher<Row<S>>(batchSize, window)
    const entries: Entry<S>[] = []
    const running = new Set<Promise<void>>()
    let failure: { readonly error: unknown } | undefined
    const start = (batches: Row<S>[][]) => {
      for (const batch of batches) {
        // Never rejects: nobody listens while the consumer is busy.
        const run = this.#atWork(() => this.#run(batch, signal))
          .catch((error: unknown) => {
            failure ??= { error }
          })
          .finally(() => running.delete(run))
        running.add(run)
      }
    }
    const source = samples[Symbol.asyncIterator]()
    const aborted = abortion(signal)
    let pull: Promise<IteratorResult<S>> | undefined
    let hasEnded = false
    try {
      for (;;) {
        signal.throwIfAborted()
        if (failure !== undefined) throw failure.error
        while (entries[0] !== undefined && entries[0].missing === 0) {
          yield groundingOf(entries.shift()!)
        }
        if (hasEnded && entries.length === 0) return
        if (!hasEnded && entries.length < maxAhead) pull ??= source.next()
        const pulled = await Promise.race([
          ...(pull === undefined ? [] : [pull]),
          ...running,
          aborted.promise,
        ])
        if (pulled === undefined) continue
        pull = undefined
        if (pulled.done === true) {
          hasEnded = true
          start(batcher.flush())
          continue
        }
        const { entry, rows } = this.#prompted(pulled.value)
        entries.push(entry)
        const { padded } = entry.sample.input
        start(batcher.add(`${padded.width}x${padded.height}`, rows))
      }
    } finally {
      aborted.forget()
      await Promise.allSettled(running)
      // A source that is waiting for its next sample sees the signal; it cannot be closed before.
      const closed = source.return?.()
      if (pull === undefined) await closed
      else void Promise.allSettled([pull, closed])
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#parts.session.close(), this.#parts.boxes.close()])
  }

  #prompted<S extends TeacherSample>(sample: S): { entry: Entry<S>; rows: Row<S>[] } {
    const { data, padded } = sample.input
    if (data.length !== padded.width * padded.height * 3) {
      throw new TypeError(
        `${data.length} bytes cannot be ${padded.width}x${padded.height} px of RGB`,
      )
    }
    const base = { sample, missing: 0, error: undefined }
    try {
      const { prompts, dropped } = this.#prompts(sample)
      const found = prompts.map(() => undefined)
      const entry: Entry<S> = { ...base, found, dropped, missing: prompts.length }
      return { entry, rows: prompts.map((prompt, index) => ({ entry, index, prompt })) }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      return { entry: { ...base, found: [], dropped: [], error }, rows: [] }
    }
  }

  #prompts({ caption, phrases }: TeacherSample) {
    const { prompt, maxTokens } = this.#settings
    return buildPrompts(caption, phrases, this.#parts.folder.tokenizer, prompt, maxTokens)
  }

  /** Runs a batch and hands each entry what is its own; only what ends the run is thrown. */
  async #run<S extends TeacherSample>(
    batch: readonly Row<S>[],
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted()
    try {
      const found = await this.#candidates(batch)
      batch.forEach(({ entry, index }, row) => {
        entry.found[index] = found[row]!
      })
      this.#failures = 0
    } catch (error) {
      if (error instanceof FatalError) throw error
      const message = `${this.id}: ${messageOf(error)}`
      if (error instanceof InputError) throw new FatalError(message, { cause: error })
      this.#failures++
      if (this.#failures >= MAX_FAILURES) {
        throw new FatalError(`${message} (${this.#failures} batches failed in a row)`, {
          cause: error,
        })
      }
      for (const { entry } of batch) {
        entry.error ??= new SampleError('teacher_failed', message, { cause: error })
      }
    }
    for (const { entry } of batch) entry.missing--
  }

  async #candidates<S extends TeacherSample>(
    batch: readonly Row<S>[],
  ): Promise<readonly (readonly Candidate[])[]> {
    const { folder, session, boxes } = this.#parts
    const { description } = folder
    const rows = batch.map(({ prompt, entry }) => ({ prompt, input: entry.sample.input }))
    const { outputs, milliseconds } = await session.run(
      feedsOf(rows, folder.tokenizer.padId, description),
    )
    this.#busyMs += milliseconds
    return Promise.all(
      batch.map(({ entry, prompt }, row) => {
        const { padded, resized, original } = entry.sample.input
        return boxes.detect({
          outputs: outputsOf(outputs, row, description),
          padded,
          resized,
          original,
          phrases: prompt.phrases.map(({ phrase }) => phrase),
          options: this.#settings.detect,
        })
      }),
    )
  }
}

function groundingOf<S>({ sample, error, found, dropped }: Entry<S>): Grounding<S> {
  if (error !== undefined) return { sample, error }
  const candidates = found.flatMap((ofPrompt) => ofPrompt ?? [])
  // Stable, so prompts that score the same keep their order.
  candidates.sort((a, b) => b.score - a.score)
  return { sample, candidates, droppedPhrases: dropped }
}

/** A promise that rejects when the signal aborts, and a way to stop listening. */
function abortion(signal: AbortSignal): { promise: Promise<never>; forget(): void } {
  let listener = () => {}
  const promise = new Promise<never>((_, reject) => {
    listener = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', listener, { once: true })
  })
  promise.catch(() => undefined)
  return {
    promise,
    forget: () => {
      signal.removeEventListener('abort', listener)
    },
  }
}
