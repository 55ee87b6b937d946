// GLIP's answers to what BatchedTeacher asks: captions become prompts of token ids with a positive map,
// outputs become boxes in threads of their own.

import type { ModelInput } from '../../core/model-input.ts'
import type { TeacherAdapter } from '../adapter.ts'
import type { PromptOptions } from '../options.ts'
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
export function createGlipAdapter(
  model: { readonly description: GlipDescription; readonly tokenizer: Tokenizer },
  { prompt: options, input, detect }: GlipSettings,
  boxes: BoxThreads,
): TeacherAdapter<Prompt> {
  const { description, tokenizer } = model
  return {
    input,
    promptsOf: ({ caption, phrases }) => buildPrompts(caption, phrases, tokenizer, options),
    // Padding takes part in the network's result.
    batchKeyOf: ({ padded }) => `${padded.width}x${padded.height}`,
    feedsOf: (rows) => feedsOf(rows, tokenizer.padId, description),
    candidatesOf: async (outputs, rows) =>
      Promise.all(
        rows.map(({ prompt, input: { padded, resized, original } }, row) =>
          boxes.detect({
            outputs: outputsOf(outputs, row, description),
            padded,
            resized,
            original,
            phrases: prompt.phrases.map(({ phrase }) => phrase),
            options: detect,
          }),
        ),
      ),
    close: () => boxes.close(),
  }
}
