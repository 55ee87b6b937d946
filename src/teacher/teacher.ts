// The seam between the pipeline and a model. What a teacher does inside (prompting, batching, a
// worker thread) is its own affair; what it promises is below.

import type { ModelInput } from '../core/model-input.ts'
import type { Candidate, InputImage, Phrase } from '../core/types.ts'
import type { SampleError } from '../core/errors.ts'

/** What a teacher looks at: any sample type that has these fields can be passed through. */
export interface TeacherSample {
  readonly caption: string
  readonly phrases: readonly Phrase[]
  readonly input: InputImage
}

/** What became of a sample: candidates, or the error that costs it and no other. */
export type Grounding<S> =
  | {
      readonly sample: S
      /** Boxes in pixels of the stored image, score above the floor, NMS per phrase applied, by score descending. */
      readonly candidates: readonly Candidate[]
      /** Phrases that no prompt could hold (longer than the token limit on their own). */
      readonly droppedPhrases: readonly number[]
    }
  | { readonly sample: S; readonly error: SampleError }

/** An open model. Every implementation passes the suite of test/teacher/conformance.ts. */
export interface Teacher {
  /** Model name, as in teacher.json. */
  readonly id: string
  /** Hex sha256 of the model folder (over its teacher.json). */
  readonly sha256: string
  /** Score that filters take when none is configured, [0, 1]; chosen on gold data with the model. */
  readonly defaultScore: number
  /** Execution provider in use, e.g. "cpu". */
  readonly provider: string
  /** How the images of samples are to be fitted. */
  readonly input: ModelInput
  /** Time that the model has run so far; what is missing to the clock's, it has waited for work. */
  readonly busySeconds: number
  /**
   * Grounds the samples of one shard; one result per sample, in input order. Batches are formed from
   * the order of the samples alone, never from timing, so the same samples give the same bytes.
   * Pulls ahead of the consumer by a bounded number of samples. Several calls may run at once.
   *
   * @throws FatalError when the model cannot go on (worker died, out of memory)
   */
  groundShard<S extends TeacherSample>(
    samples: AsyncIterable<S>,
    signal: AbortSignal,
  ): AsyncIterable<Grounding<S>>
  /** Waits for the batch in flight, then frees the model. Never aborts a running batch. */
  close(): Promise<void>
}
