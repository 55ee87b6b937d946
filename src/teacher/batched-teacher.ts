// The teacher around an adapter: samples in, candidates out, in order. While the model runs one batch, the
// next one is queued before it and the last one becomes boxes behind it.

import pLimit from 'p-limit'
import { FatalError, InputError, messageOf, SampleError } from '../core/errors.ts'
import type { ModelInput } from '../core/model-input.ts'
import { isValidSpan } from '../core/span.ts'
import type { Candidate } from '../core/types.ts'
import { untilAborted } from '../system/deadline.ts'
import type { PromptPlan, Row, Runner, TeacherAdapter } from './adapter.ts'
import { Batcher } from './batcher.ts'
import type { ModelFolder } from './description.ts'
import type { Grounding, Teacher, TeacherSample } from './teacher.ts'

/** What a teacher is made of; its `close` closes runner and adapter. */
export interface TeacherParts {
  readonly folder: Pick<ModelFolder, 'description' | 'sha256'>
  readonly runner: Runner
  readonly adapter: TeacherAdapter
  /** Prompts per forward. */
  readonly batchSize: number
}

/** Groups of prompts that a partial batch waits for others of its key, in batches. */
const WINDOW_BATCHES = 4
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
interface EntryRow<S> extends Row<unknown> {
  readonly entry: Entry<S>
  readonly index: number
}

/** Forms the batches that a teacher of this batch size forms of the same samples. */
export function createBatcher<T>(batchSize: number): Batcher<T> {
  return new Batcher<T>(batchSize, windowOf(batchSize))
}

function windowOf(batchSize: number): number {
  return batchSize === 1 ? 0 : WINDOW_BATCHES * batchSize
}

/**
 * What every teacher has in common: order, batches, what a failure costs, and the end. An image that the
 * model cannot take or a batch that fails costs its samples (`teacher_failed`); three failed batches in a
 * row, outputs of another shape and a dead thread end the run.
 */
export class BatchedTeacher implements Teacher {
  readonly id: string
  readonly sha256: string
  readonly provider: string
  readonly defaultScore: number
  readonly input: ModelInput
  readonly #parts: TeacherParts
  readonly #limit = pLimit(BATCHES_AT_WORK)
  /** Batches of all shards, until they have settled. */
  readonly #running = new Set<Promise<void>>()
  #isClosing = false
  #failures = 0
  #busyMs = 0

  constructor(parts: TeacherParts) {
    const { folder, runner, adapter } = parts
    this.id = folder.description.id
    this.sha256 = folder.sha256
    this.provider = runner.provider
    this.defaultScore = folder.description.defaultScore
    this.input = adapter.input
    this.#parts = parts
  }

  get busySeconds(): number {
    return this.#busyMs / 1000
  }

  async *groundShard<S extends TeacherSample>(
    samples: AsyncIterable<S>,
    signal: AbortSignal,
  ): AsyncGenerator<Grounding<S>> {
    const { adapter, batchSize } = this.#parts
    const maxAhead = windowOf(batchSize) + BATCHES_AT_WORK * batchSize
    const batcher = createBatcher<EntryRow<S>>(batchSize)
    const entries: Entry<S>[] = []
    const running = new Set<Promise<void>>()
    let failure: { readonly error: unknown } | undefined
    const start = (batches: EntryRow<S>[][]) => {
      for (const batch of batches) {
        // Never rejects: nobody listens while the consumer is busy.
        const run = this.#begin(batch, signal)
          .catch((error: unknown) => {
            failure ??= { error }
          })
          .finally(() => running.delete(run))
        running.add(run)
      }
    }
    const source = samples[Symbol.asyncIterator]()
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
        const settled = Promise.race([...(pull === undefined ? [] : [pull]), ...running])
        const pulled = await untilAborted(settled, signal)
        if (pulled === undefined) continue
        pull = undefined
        if (pulled.done === true) {
          hasEnded = true
          start(batcher.flush())
          continue
        }
        const { entry, rows } = this.#prompted(pulled.value)
        entries.push(entry)
        start(batcher.add(adapter.batchKeyOf(entry.sample.input), rows))
      }
    } finally {
      await Promise.allSettled(running)
      // A source that is waiting for its next sample sees the signal; it cannot be closed before.
      const closed = source.return?.()
      if (pull === undefined) await closed
      else void Promise.allSettled([pull, closed])
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await Promise.allSettled(this.#running)
    await Promise.all([this.#parts.runner.close(), this.#parts.adapter.close()])
  }

  #prompted<S extends TeacherSample>(sample: S): { entry: Entry<S>; rows: EntryRow<S>[] } {
    const { input } = sample
    const { data, padded } = input
    if (data.length !== padded.width * padded.height * 3) {
      throw new TypeError(
        `${data.length} bytes cannot be ${padded.width}x${padded.height} px of RGB`,
      )
    }
    const base = { sample, missing: 0, error: undefined }
    try {
      const { prompts, dropped } = this.#promptsOf(sample)
      const found = prompts.map(() => undefined)
      const entry: Entry<S> = { ...base, found, dropped, missing: prompts.length }
      return { entry, rows: prompts.map((prompt, index) => ({ entry, index, prompt, input })) }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      return { entry: { ...base, found: [], dropped: [], error }, rows: [] }
    }
  }

  #promptsOf(sample: TeacherSample): PromptPlan<unknown> {
    const { caption, phrases } = sample
    phrases.forEach((span, index) => {
      if (isValidSpan(span, caption)) return
      throw new SampleError(
        'phrases_invalid',
        `phrase ${index} is [${span.start}, ${span.end}) of a caption with ${caption.length} UTF-16 units`,
      )
    })
    return this.#parts.adapter.promptsOf(sample)
  }

  async #begin<S>(batch: readonly EntryRow<S>[], signal: AbortSignal): Promise<void> {
    const run = this.#limit(() => this.#run(batch, signal))
    this.#running.add(run)
    try {
      await run
    } finally {
      this.#running.delete(run)
    }
  }

  /** Runs a batch and hands each entry what is its own; only what ends the run is thrown. */
  async #run<S>(batch: readonly EntryRow<S>[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#isClosing) throw new FatalError(`the teacher ${this.id} is closed`)
    try {
      const found = await this.#candidatesOf(batch)
      batch.forEach(({ entry, index }, row) => {
        entry.found[index] = found[row]!
      })
      this.#failures = 0
    } catch (error) {
      const failure = this.#failureOf(error)
      for (const { entry } of batch) entry.error ??= failure
    }
    for (const { entry } of batch) entry.missing--
  }

  async #candidatesOf(batch: readonly Row<unknown>[]): Promise<readonly (readonly Candidate[])[]> {
    const { runner, adapter } = this.#parts
    const { outputs, milliseconds } = await runner.run(adapter.feedsOf(batch))
    this.#busyMs += milliseconds
    return adapter.candidatesOf(outputs, batch)
  }

  /** What a failed batch costs its samples. @throws FatalError when it ends the run */
  #failureOf(error: unknown): SampleError {
    if (error instanceof FatalError) throw error
    const message = `${this.id}: ${messageOf(error)}`
    if (error instanceof InputError) throw new FatalError(message, { cause: error })
    this.#failures++
    if (this.#failures >= MAX_FAILURES) {
      throw new FatalError(`${message} (${this.#failures} batches failed in a row)`, {
        cause: error,
      })
    }
    return new SampleError('teacher_failed', message, { cause: error })
  }
}

function groundingOf<S>({ sample, error, found, dropped }: Entry<S>): Grounding<S> {
  if (error !== undefined) return { sample, error }
  const candidates = found.flatMap((ofPrompt) => ofPrompt ?? [])
  // Stable, so prompts that score the same keep their order.
  candidates.sort((a, b) => b.score - a.score)
  return { sample, candidates, droppedPhrases: dropped }
}
