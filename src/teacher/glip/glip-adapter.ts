// GLIP's answers to what BatchedTeacher asks: captions become prompts of token ids with a positive map,
// outputs become boxes in threads of their own.

import type { ModelInput } from '../../core/model-input.ts'
import type { Candidate, InputImage } from '../../core/types.ts'
import type { Feeds, Outputs, PromptPlan, Row, TeacherAdapter } from '../adapter.ts'
import type { PromptOptions } from '../options.ts'
import type { TeacherSample } from '../teacher.ts'
import type { BoxThreads } from './box-threads.ts'
import type { GlipDescription } from './description.ts'
import { feedsOf, outputsOf } from './glip-graph.ts'
import type { DetectOptions } from './postprocess.ts'
import { buildPrompts, type Prompt } from './prompts.ts'
import type { Tokenizer } from './tokenizer.ts'

/** The configured options, completed by the model's own values. */
export interface GlipSettings {
  /** `maxTokens` is at most the model's. */
  readonly prompt: PromptOptions
  readonly input: ModelInput
  readonly detect: DetectOptions
}

/** @param boxes closed with the adapter */
export class GlipAdapter implements TeacherAdapter<Prompt> {
  readonly input: ModelInput
  readonly #model: { readonly description: GlipDescription; readonly tokenizer: Tokenizer }
  readonly #settings: GlipSettings
  readonly #boxes: BoxThreads

  constructor(
    model: { readonly description: GlipDescription; readonly tokenizer: Tokenizer },
    settings: GlipSettings,
    boxes: BoxThreads,
  ) {
    this.input = settings.input
    this.#model = model
    this.#settings = settings
    this.#boxes = boxes
  }

  promptsOf({ caption, phrases }: TeacherSample): PromptPlan<Prompt> {
    return buildPrompts(caption, phrases, this.#model.tokenizer, this.#settings.prompt)
  }

  /** Padding takes part in the network's result. */
  batchKeyOf({ padded }: InputImage): string {
    return `${padded.width}x${padded.height}`
  }

  feedsOf(rows: readonly Row<Prompt>[]): Feeds {
    return feedsOf(rows, this.#model.tokenizer.padId, this.#model.description)
  }

  async candidatesOf(
    outputs: Outputs,
    rows: readonly Row<Prompt>[],
  ): Promise<readonly (readonly Candidate[])[]> {
    return Promise.all(
      rows.map(({ prompt, input: { padded, resized, original } }, row) =>
        this.#boxes.detect({
          outputs: outputsOf(outputs, row, this.#model.description),
          padded,
          resized,
          original,
          phrases: prompt.phrases.map(({ phrase }) => phrase),
          options: this.#settings.detect,
        }),
      ),
    )
  }

  close(): Promise<void> {
    return this.#boxes.close()
  }
}
