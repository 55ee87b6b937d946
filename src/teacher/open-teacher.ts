// From the `teacher:` and `prompt:` sections to a teacher that is ready to run.

import { join } from 'node:path'
import { ConfigError, InputError, messageOf } from '../core/errors.ts'
import { letRuntimeThreadsGiveWay } from '../system/priority.ts'
import type { Runner } from './adapter.ts'
import { BatchedTeacher, type TeacherParts } from './batched-teacher.ts'
import { GRAPH_FILE } from './description.ts'
import { findModel } from './find-model.ts'
import { readDescription, readModelFolder, type LoadedFolder } from './model-folder.ts'
import { openOnnx, type OnnxOptions, type OnnxSession } from './onnx-session.ts'
import { PROVIDERS, type Provider, type TeacherConfig, type TeacherOptions } from './options.ts'
import type { Teacher } from './teacher.ts'

type Log = (message: string) => void

/**
 * What `auto` tries. The others must be asked for by name: tensorrt compiles for minutes for every new
 * image size, and webgpu, coreml and dml have not been measured with this graph.
 */
const AUTO: readonly Provider[] = ['cuda', 'cpu']

/** In place of a session. */
const NO_GRAPH: Runner = {
  provider: 'none',
  run: () => Promise.resolve({ outputs: {}, milliseconds: 0 }),
  close: () => Promise.resolve(),
}

/**
 * Opens the model on the configured provider and runs it once on a tiny image.
 *
 * @param log told which provider was taken and why not another, or that boxes are made up
 * @throws ConfigError when the model or the provider cannot be had; InputError for a damaged folder
 */
export async function openTeacher(config: TeacherConfig, log: Log): Promise<Teacher> {
  return new BatchedTeacher(await openParts(config, log))
}

/** The parts of `openTeacher`'s teacher, for who measures them apart; whoever has them closes them. */
export async function openParts(
  { teacher, prompt }: TeacherConfig,
  log: Log,
): Promise<TeacherParts> {
  const folder = await readModelFolder(await findModel(teacher.model))
  const adapter = folder.model.adapt(teacher, prompt)
  try {
    const runner = await openRunner(folder, teacher, log)
    return { folder, runner, adapter, batchSize: teacher.batchSize }
  } catch (error) {
    await adapter.close()
    throw error
  }
}

/** Identity and threshold of the configured model, without opening it. */
export async function describeTeacher(
  teacher: TeacherOptions,
): Promise<{ readonly id: string; readonly sha256: string; readonly defaultScore: number }> {
  const { description, sha256 } = await readDescription(await findModel(teacher.model))
  return { id: description.id, sha256, defaultScore: description.defaultScore }
}

/**
 * What runs the model's graph. It has run once: a provider that opens but cannot run the graph is no
 * provider.
 *
 * @throws as `openTeacher`
 */
export async function openRunner(
  folder: LoadedFolder,
  { provider, threads }: Pick<TeacherOptions, 'provider' | 'threads'>,
  log: Log,
): Promise<Runner> {
  const { description, path } = folder
  if (folder.model.probe === undefined) {
    log(`teacher ${description.id} has no model: its boxes are made up`)
    return NO_GRAPH
  }
  if (description.raw) {
    throw new ConfigError(
      `teacher.model: ${path} is a raw export, for parity tests; convert it again without --raw`,
    )
  }
  letRuntimeThreadsGiveWay()
  const failures: string[] = []
  for (const candidate of provider === 'auto' ? AUTO : [provider]) {
    try {
      const session = await tryProvider(folder, { provider: candidate, threads })
      const because = failures.length === 0 ? '' : ` (${failures.join('; ')})`
      log(`teacher ${description.id} runs on ${candidate}${because}`)
      return session
    } catch (error) {
      if (candidate === 'cpu') throw unusable(folder, error)
      failures.push(`no ${candidate}: ${firstLine(error)}`)
    }
  }
  const available = await availableProviders(folder, threads)
  throw new ConfigError(
    `teacher.provider: ${failures.join('; ')}. Available here: ${available.join(', ')}`,
  )
}

/** Providers that run this model on this machine, each tried. */
async function availableProviders(
  folder: LoadedFolder,
  threads: number,
): Promise<readonly Provider[]> {
  const available: Provider[] = []
  for (const provider of PROVIDERS) {
    try {
      await (await tryProvider(folder, { provider, threads })).close()
      available.push(provider)
    } catch (error) {
      if (provider === 'cpu') throw unusable(folder, error)
    }
  }
  return available
}

/**
 * A session on just this provider, probed.
 *
 * @throws the runtime's error, or InputError when the graph is not what teacher.json says
 */
async function tryProvider(
  folder: LoadedFolder,
  options: Pick<OnnxOptions, 'provider' | 'threads'>,
): Promise<OnnxSession> {
  const file = join(folder.path, GRAPH_FILE)
  const session = await openOnnx(file, { ...options, name: folder.description.id })
  try {
    await folder.model.probe?.(session)
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

function unusable({ path }: LoadedFolder, error: unknown): InputError {
  return new InputError(`${join(path, GRAPH_FILE)} cannot be run: ${messageOf(error)}`)
}

/** The runtime's messages go on with file names and stacks. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0]!.slice(0, 300)
}
