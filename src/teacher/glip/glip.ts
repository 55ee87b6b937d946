// GLIP as an architecture: from a checked model folder to an adapter.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError, messageOf } from '../../core/errors.ts'
import type { TeacherAdapter } from '../adapter.ts'
import type { Architecture, Model } from '../architecture.ts'
import { checkNames } from '../check-names.ts'
import { GRAPH_FILE, type ModelFolder } from '../description.ts'
import type { OnnxSession } from '../onnx-session.ts'
import {
  shortSideInput,
  type PromptOptions,
  type TeacherConfig,
  type TeacherOptions,
} from '../options.ts'
import { startBoxThreads } from './box-threads.ts'
import { glipSchema, VOCAB_FILE, type GlipDescription } from './description.ts'
import { createGlipAdapter, type GlipSettings } from './glip-adapter.ts'
import { feedsOf, outputsOf } from './glip-graph.ts'
import { detect } from './postprocess.ts'
import { createTokenizer, parseVocab, type Tokenizer } from '../bert-tokenizer.ts'

/** A GLIP model folder with its vocabulary. */
export class GlipModel implements Model {
  readonly description: GlipDescription
  readonly tokenizer: Tokenizer
  readonly #graph: string

  constructor({ path, description }: ModelFolder<GlipDescription>, tokenizer: Tokenizer) {
    this.description = description
    this.tokenizer = tokenizer
    this.#graph = join(path, GRAPH_FILE)
  }

  adapt(teacher: TeacherOptions, prompt: PromptOptions): TeacherAdapter {
    // Before threads are started: what is refused then would keep them, and the program, alive.
    const settings = settingsOf(this.description, { teacher, prompt })
    return createGlipAdapter(this, settings, startBoxThreads(teacher.boxThreads))
  }

  /** A grey image and an empty prompt: the shapes must fit and the numbers be numbers. */
  async probe(session: OnnxSession): Promise<void> {
    const { description, tokenizer } = this
    checkNames(session, description, this.#graph)
    const side = description.image.padMultiple * 2
    const size = { width: side, height: side }
    const data = new Uint8Array(side * side * 3).fill(128)
    const row = {
      prompt: { ids: [tokenizer.clsId, tokenizer.sepId], phrases: [{ phrase: 0, tokens: [1] }] },
      input: { data, original: size, resized: size, padded: size },
    }
    const { outputs } = await session.run(feedsOf([row], this))
    detect({
      outputs: outputsOf(outputs, description)[0]!,
      padded: size,
      resized: size,
      options: { ...detectOptions(description), candidateScore: -1 }, // every position is looked at
    })
  }
}

/** GLIP with one positive map per prompt, as models/glip exports it. */
export const glip: Architecture<GlipDescription> = {
  name: 'glip',
  schema: glipSchema,
  async load(folder) {
    const file = join(folder.path, VOCAB_FILE)
    const vocab = parseVocab(await readFile(file, 'utf8'))
    try {
      return new GlipModel(folder, createTokenizer(vocab, folder.description.text.lowerCase))
    } catch (error) {
      throw new InputError(`${file}: ${messageOf(error)}`)
    }
  },
  factsOf: ({ image, text }) => [
    ['image', `short side ${image.shortSide} px, long side at most ${image.longSide} px`],
    ['text', `${text.maxTokens} tokens at most`],
  ],
}

/**
 * The options with the model's own values where nothing is configured.
 *
 * @throws ConfigError for a short side above the long side
 */
export function settingsOf(
  description: GlipDescription,
  { teacher, prompt }: TeacherConfig,
): GlipSettings {
  return {
    prompt: { ...prompt, maxTokens: Math.min(prompt.maxTokens, description.text.maxTokens) },
    input: shortSideInput(teacher, description.image),
    detect: detectOptions(description, teacher),
  }
}

function detectOptions(
  { anchors, boxWeights, postprocess }: GlipDescription,
  teacher: Partial<TeacherOptions> = {},
): GlipSettings['detect'] {
  return {
    anchors,
    boxWeights,
    candidateScore: teacher.candidateScore ?? postprocess.candidateScore,
    preNms: teacher.preNms ?? postprocess.preNms,
    nmsIou: teacher.nmsIou ?? postprocess.nmsIou,
    maxBoxes: teacher.maxBoxes ?? postprocess.maxBoxes,
  }
}
