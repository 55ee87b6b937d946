// From the `teacher:` and `prompt:` sections to a teacher that is ready to run.

import { join } from 'node:path'
import { ConfigError, InputError, messageOf } from '../core/errors.ts'
import { letRuntimeThreadsGiveWay } from '../system/priority.ts'
import { findModel } from './find-model.ts'
import { checkNames, feedsOf, outputsOf } from './glip/glip-graph.ts'
import { GlipTeacher, type GlipSettings } from './glip/glip-teacher.ts'
import { startBoxThreads } from './glip/box-threads.ts'
import { detect } from './glip/postprocess.ts'
import { GRAPH_FILE, readDescription, readModelFolder, type ModelFolder } from './model-folder.ts'
import { openOnnx, type OnnxSession } from './onnx-session.ts'
import { PROVIDERS, type PromptOptions, type Provider, type TeacherOptions } from './options.ts'
import type { Teacher } from './teacher.ts'

type Log = (message: string) => void

/**
 * What `auto` tries. The others must be asked for by name: tensorrt compiles for minutes for every new
 * image size, and webgpu, coreml and dml have not been measured with this graph.
 */
const AUTO: readonly Provider[] = ['cuda', 'cpu']

/**
 * Opens the model on the configured provider and runs it once on a tiny image.
 *
 * @param log told which provider was taken, and why not another
 * @throws ConfigError when the model or the provider cannot be had; InputError for a damaged folder
 */
export async function openTeacher(
  teacher: TeacherOptions,
  prompt: PromptOptions,
  log: Log,
): Promise<Teacher> {
  const folder = await readModelFolder(await findModel(teacher.model))
  // Before threads are started: what is refused then would keep them, and the program, alive.
  const settings = settingsOf(folder, teacher, prompt)
  const session = await openGraph(folder, teacher, log)
  return new GlipTeacher({ folder, session, boxes: startBoxThreads(teacher.boxThreads) }, settings)
}

/** Identity and threshold of the configured model, without opening it. */
export async function describeTeacher(
  teacher: TeacherOptions,
): Promise<{ readonly id: string; readonly sha256: string; readonly defaultScore: number }> {
  const { description, sha256 } = await readDescription(await findModel(teacher.model))
  return { id: description.id, sha256, defaultScore: description.defaultScore }
}

/** The options with the model's own values where nothing is configured. */
export function settingsOf(
  { description }: Pick<ModelFolder, 'description'>,
  teacher: TeacherOptions,
  prompt: PromptOptions,
): GlipSettings {
  const { image, text, anchors, boxWeights, postprocess } = description
  const settings = {
    prompt,
    maxTokens: Math.min(prompt.maxTokens, text.maxTokens),
    input: {
      shortSide: teacher.shortSide ?? image.shortSide,
      longSide: teacher.longSide ?? image.longSide,
      padMultiple: image.padMultiple,
    },
    batchSize: teacher.batchSize,
    detect: {
      anchors,
      boxWeights,
      candidateScore: teacher.candidateScore ?? postprocess.candidateScore,
      preNms: teacher.preNms ?? postprocess.preNms,
      nmsIou: teacher.nmsIou ?? postprocess.nmsIou,
      maxBoxes: teacher.maxBoxes ?? postprocess.maxBoxes,
    },
  }
  const { shortSide, longSide } = settings.input
  if (shortSide > longSide) {
    throw new ConfigError(
      `teacher.shortSide: ${shortSide} px is above the long side of ${longSide} px`,
    )
  }
  return settings
}

/**
 * A session that has run once: a provider that opens but cannot run the graph is no provider.
 *
 * @throws as `openTeacher`
 */
export async function openGraph(
  folder: ModelFolder,
  { provider, threads }: Pick<TeacherOptions, 'provider' | 'threads'>,
  log: Log,
): Promise<OnnxSession> {
  const { description, path } = folder
  if (description.raw) {
    throw new ConfigError(
      `teacher.model: ${path} is a raw export, for parity tests; convert it again without --raw`,
    )
  }
  letRuntimeThreadsGiveWay()
  const failures: string[] = []
  for (const candidate of provider === 'auto' ? AUTO : [provider]) {
    try {
      const session = await tryProvider(folder, candidate, threads)
      const because = failures.length === 0 ? '' : ` (${failures.join('; ')})`
      log(`teacher ${description.id} runs on ${candidate}${because}`)
      return session
    } catch (error) {
      if (candidate === 'cpu') {
        throw new InputError(`${join(path, GRAPH_FILE)} cannot be run: ${messageOf(error)}`)
      }
      failures.push(`no ${candidate}: ${firstLine(error)}`)
    }
  }
  const available = await availableProviders(folder, threads)
  throw new ConfigError(
    `teacher.provider: ${failures.join('; ')}. Available here: ${available.join(', ')}`,
  )
}

/** Providers that run this model on this machine, each tried. */
export async function availableProviders(
  folder: ModelFolder,
  threads: number,
): Promise<readonly Provider[]> {
  const available: Provider[] = []
  for (const provider of PROVIDERS) {
    try {
      await (await tryProvider(folder, provider, threads)).close()
      available.push(provider)
    } catch (error) {
      if (provider === 'cpu') {
        const file = join(folder.path, GRAPH_FILE)
        throw new InputError(`${file} cannot be run: ${messageOf(error)}`)
      }
    }
  }
  return available
}

/**
 * A session on just this provider, checked against teacher.json and run once.
 *
 * @throws the runtime's error, or InputError when the graph is not what teacher.json says
 */
async function tryProvider(
  folder: ModelFolder,
  provider: Provider,
  threads: number,
): Promise<OnnxSession> {
  const file = join(folder.path, GRAPH_FILE)
  const session = await openOnnx(file, { provider, threads, name: folder.description.id })
  try {
    checkNames(session, folder.description, file)
    await tryRun(session, folder)
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

/**
 * Runs the graph on a grey image and an empty prompt: the shapes must fit and the numbers be numbers.
 *
 * @throws the runtime's error, InputError or RangeError
 */
export async function tryRun(
  session: OnnxSession,
  { description, tokenizer }: ModelFolder,
): Promise<void> {
  const side = description.image.padMultiple * 2
  const size = { width: side, height: side }
  const row = {
    prompt: {
      ids: [tokenizer.clsId, tokenizer.sepId],
      phrases: [{ phrase: 0, tokens: [1] }],
    },
    input: {
      data: new Uint8Array(side * side * 3).fill(128),
      original: size,
      resized: size,
      padded: size,
    },
  }
  const { outputs } = await session.run(feedsOf([row], tokenizer.padId, description))
  detect(outputsOf(outputs, 0, description), size, size, {
    anchors: description.anchors,
    boxWeights: description.boxWeights,
    ...description.postprocess,
    candidateScore: -1, // so that every position is looked at
  })
}

/** The runtime's messages go on with file names and stacks. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0]!.slice(0, 300)
}
