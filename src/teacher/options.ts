// The `prompt:` and `teacher:` sections of the config.

import { z } from 'zod'
import { ConfigError } from '../core/errors.ts'
import type { ShortSideInput } from '../core/model-input.ts'

/** Names that `teacher.provider` takes; ONNX Runtime itself ignores an unknown name, so we do not. */
export const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu', 'coreml', 'dml'] as const
/** An execution provider of ONNX Runtime. */
export type Provider = (typeof PROVIDERS)[number]

/** `prompt:`, what the model is asked. */
export const promptOptionsSchema = z
  .strictObject({
    /**
     * How phrases are asked for. `caption`: the caption is the prompt and phrases are spans in it
     * (GLIP); `joined`: the phrases with separators between them; `separate`: one forward per phrase.
     */
    mode: z.enum(['caption', 'joined', 'separate']).default('caption'),
    /** Between the phrases of a `joined` prompt: ". " (GLIP's evaluation) or " . " (its demo). */
    separator: z.string().min(1).max(16).default('. '),
    /** Whether the separator also ends the `joined` or `separate` prompt (GLIP's demo does). */
    trailingSeparator: z.boolean().default(false),
    /** Text around each phrase of `joined` and `separate`; only the phrase itself is scored. */
    template: z
      .string()
      .max(200)
      .refine((text) => text.split('{}').length === 2, 'must hold "{}" exactly once')
      .default('{}'),
    /** GLIP's cleaning of class names in `joined` and `separate`: "(...)" removed, "_" to a space. */
    cleanNames: z.boolean().default(false),
    /** Tokens of one prompt with [CLS] and [SEP]; the model's own limit caps it. */
    maxTokens: z.int().min(8).max(4096).default(256),
    /** Most phrases of one `joined` prompt; without it as many as the tokens allow. */
    phrasesPerForward: z.int().min(1).optional(),
    /**
     * A prompt above `maxTokens`: `split` into several forwards with every phrase in exactly one,
     * `truncate` to the first of them and drop the other phrases, or `drop` the sample.
     */
    overflow: z.enum(['split', 'truncate', 'drop']).default('split'),
  })
  .refine((prompt) => prompt.mode === 'joined' || prompt.phrasesPerForward === undefined, {
    path: ['phrasesPerForward'],
    message: 'only has a meaning with mode: joined',
  })

/** `prompt:`, checked, with its defaults. */
export type PromptOptions = z.output<typeof promptOptionsSchema>

/** `teacher:`, which model and how it runs. */
export const teacherOptionsSchema = z.strictObject({
  /**
   * A folder with a teacher.json, or the name of a bundled or added model (`groundmill teacher list`);
   * `dummy` makes boxes up, for dry runs.
   */
  model: z.string().min(1).default('glip-nano'),
  /** Execution provider; `auto` takes the machine's accelerator if one opens, else cpu, and says which. */
  provider: z.enum(['auto', ...PROVIDERS]).default('auto'),
  /** Mean token probability that makes a candidate, before centerness; absent: the model's own (0.05). */
  candidateScore: z.number().min(0).max(1).optional(),
  /** Candidates kept per pyramid level before NMS; absent: the model's own (1000). */
  preNms: z.int().min(1).optional(),
  /** Same-phrase boxes above this IoU suppress each other; absent: the model's own (0.6). */
  nmsIou: z.number().min(0).max(1).optional(),
  /** Boxes kept per forward, 0 for all; absent: the model's own (100). */
  maxBoxes: z.int().min(0).optional(),
  /** px, shorter side of the resized image; absent: the model's own. */
  shortSide: z.int().min(16).max(4096).optional(),
  /** px, longer side of the resized image that `shortSide` yields to; absent: the model's own. */
  longSide: z.int().min(16).max(8192).optional(),
  /** Prompts per forward; only images of one padded size share a batch. */
  batchSize: z.int().min(1).max(256).default(1),
  /** Threads of ONNX Runtime on the CPU; 0 for one per core. */
  threads: z.int().min(0).max(512).default(0),
  /** Threads that turn outputs into boxes, beside those of the graph. */
  boxThreads: z.int().min(1).max(64).default(1),
})

/** `teacher:`, checked, with its defaults. */
export type TeacherOptions = z.output<typeof teacherOptionsSchema>

/** The sections of a config that decide what a teacher says. */
export interface TeacherConfig {
  readonly teacher: TeacherOptions
  readonly prompt: PromptOptions
}

/** Keys of `teacher:` that do not change what a run writes. */
export const teacherVolatile: readonly string[] = ['threads', 'boxThreads']

/**
 * The size rule of a model that keeps the aspect, with what is configured.
 *
 * @param own the model's, px
 * @throws ConfigError for a short side above the long side
 */
export function shortSideInput(
  teacher: Pick<TeacherOptions, 'shortSide' | 'longSide'>,
  own: Omit<ShortSideInput, 'kind'>,
): ShortSideInput {
  const { shortSide = own.shortSide, longSide = own.longSide } = teacher
  if (shortSide > longSide) {
    throw new ConfigError(
      `teacher.shortSide: ${shortSide} px is above the long side of ${longSide} px`,
    )
  }
  return { kind: 'short-side', shortSide, longSide, padMultiple: own.padMultiple }
}
