// What one architecture knows and no other: how it is asked and what its answers mean. Everything else
// (order, batches, failures, draining) is BatchedTeacher's, in one place for all.

import type { ModelInput } from '../core/model-input.ts'
import type { Candidate, InputImage } from '../core/types.ts'
import type { FloatTensor, RunResult, TensorData } from './onnx-session.ts'
import type { TeacherSample } from './teacher.ts'

/** Input tensors of a graph by name; whoever runs the graph takes over their buffers. */
export type Feeds = Readonly<Record<string, TensorData>>

/** Output tensors of a graph by name. */
export type Outputs = Readonly<Record<string, FloatTensor>>

/** One prompt on one image: a row of a batch. */
export interface Row<Prompt> {
  readonly prompt: Prompt
  readonly input: InputImage
}

/** What a sample is asked. */
export interface PromptPlan<Prompt> {
  /** One row of a batch each; none for a sample without phrases. */
  readonly prompts: readonly Prompt[]
  /** Phrases that are in no prompt, ascending. */
  readonly dropped: readonly number[]
}

/**
 * An open model of one architecture, without the graph. Its methods are called for samples of all shards at
 * once; the same arguments give the same result.
 *
 * `Prompt` is the architecture's own: what `promptsOf` returns comes back in the rows of the other two, and
 * nobody else looks inside. Methods, not function properties, so that a list of adapters with different
 * prompts is a list of `TeacherAdapter`.
 */
export interface TeacherAdapter<Prompt = unknown> {
  /** How images are fitted; samples come with `input` made so. */
  readonly input: ModelInput
  /**
   * One prompt, or several that are run apart and whose candidates are joined.
   *
   * @throws SampleError for a sample that is refused; it costs no other sample
   */
  promptsOf(sample: TeacherSample): PromptPlan<Prompt>
  /** Rows with equal keys can share a batch without changing each other's results. */
  batchKeyOf(input: InputImage): string
  /** @param rows at least one, all of one batch key */
  feedsOf(rows: readonly Row<Prompt>[]): Feeds
  /**
   * @param outputs of the graph on the feeds of these rows
   * @returns per row, boxes in pixels of the stored image and inside it, above the floor, by score
   *   descending; equal scores in an order that follows from the outputs
   * @throws InputError when the outputs are not what the description says, which ends the run; any other
   *   error gives up the samples of the batch
   */
  candidatesOf(
    outputs: Outputs,
    rows: readonly Row<Prompt>[],
  ): Promise<readonly (readonly Candidate[])[]>
  /** Ends threads of its own; called when nothing is at work any more. */
  close(): Promise<void>
}

/** What runs feeds: an OnnxSession, or the nothing of a teacher without a graph. */
export interface Runner {
  /** Execution provider in use. */
  readonly provider: string
  /** @throws FatalError when nothing can be run any more; any other error is of this run alone */
  run(feeds: Feeds): Promise<RunResult>
  /** Waits for the runs that were asked for. */
  close(): Promise<void>
}
