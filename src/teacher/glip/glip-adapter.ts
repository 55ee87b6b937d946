// GLIP's answers to what BatchedTeacher asks: captions become prompts of token ids with a positive map,
// outputs become boxes in threads of their own.

import type { ModelInput } from '../../core/model-input.ts'
import type { TeacherAdapter } from '../adapter.ts'
import type { PromptOptions } from '../options.ts'
import type { BoxThreads } from './box-threads.ts'
import type { GlipDescription } from './description.ts'
import { feedsOf, outputsOf } from './glip-graph.ts'
import type { DetectOptions } from './postprocess.ts'
import { Prompter, type Prompt } from './prompts.ts'
import type { Tokenizer } from '../bert-tokenizer.ts'

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
  { prompt, input, detect: options }: GlipSettings,
  boxes: BoxThreads,
): TeacherAdapter<Prompt> {
  const prompter = new Prompter(model.tokenizer, prompt)
  return {
    input,
    promptsOf: (sample) => prompter.promptsOf(sample),
    // Padding takes part in the network's result.
    batchKeyOf: ({ padded }) => `${padded.width}x${padded.height}`,
    feedsOf: (rows) => feedsOf(rows, model),
    candidatesOf: async (results, rows) => {
      const outputs = outputsOf(results, model.description)
      return Promise.all(
        rows.map(({ prompt: { phrases }, input: { padded, resized, original } }, row) =>
          boxes.detect({
            outputs: outputs[row]!,
            padded,
            resized,
            original,
            phrases: phrases.map(({ phrase }) => phrase),
            options,
          }),
        ),
      )
    },
    close: () => boxes.close(),
  }
}
