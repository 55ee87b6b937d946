// A model folder looked at from outside: what it says, and whether that is so.

import { join } from 'node:path'
import { messageOf } from '../core/errors.ts'
import { architectureOf } from './architectures.ts'
import { GRAPH_FILE, type Description } from './description.ts'
import { findModel, listModels, type ModelPlace } from './find-model.ts'
import { checkFile, readDescription, readModelFolder } from './model-folder.ts'
import { openOnnx, type TensorInfo } from './onnx-session.ts'

/** A line of `teacher list`. */
export interface ModelSummary extends ModelPlace {
  /** Absent when teacher.json cannot be used. */
  readonly description?: Description
  readonly problem?: string
}

/** Every model known by name; a damaged one is listed with its problem. */
export async function summarizeModels(): Promise<ModelSummary[]> {
  return Promise.all(
    (await listModels()).map(async (place) => {
      try {
        return { ...place, description: (await readDescription(place.path)).description }
      } catch (error) {
        return { ...place, problem: messageOf(error) }
      }
    }),
  )
}

/** Bytes of all files that teacher.json lists. */
export function sizeOf({ files }: Pick<Description, 'files'>): number {
  return Object.values(files).reduce((sum, { size }) => sum + size, 0)
}

/** What `teacher inspect` tells. */
export interface Inspection {
  readonly path: string
  /** Hex, of teacher.json; what runs are recorded with. */
  readonly sha256: string
  readonly description: Description
  /** What the architecture says of it: label and value. */
  readonly facts: readonly (readonly [label: string, value: string])[]
  /** As the graph has them; empty when it could not be opened, and for a teacher without one. */
  readonly graph: {
    readonly inputs: readonly TensorInfo[]
    readonly outputs: readonly TensorInfo[]
  }
  /** What is wrong with the folder; empty if nothing is. */
  readonly problems: readonly string[]
}

/**
 * Checks size and hash of every file, opens the graph on the CPU, and runs it once unless it is raw.
 *
 * @throws ConfigError when there is no such model; InputError when teacher.json itself cannot be used
 */
export async function inspectModel(model: string): Promise<Inspection> {
  const folder = await readDescription(await findModel(model))
  const { path, description } = folder
  const problems: string[] = []
  for (const [name, expected] of Object.entries(description.files)) {
    await checkFile(join(path, name), expected).catch((error: unknown) => {
      problems.push(messageOf(error))
    })
  }
  const none = { inputs: [], outputs: [] }
  const graph =
    problems.length > 0 || !(GRAPH_FILE in description.files)
      ? none
      : await graphOf(path).catch((error: unknown) => {
          problems.push(messageOf(error))
          return none
        })
  return { ...folder, facts: architectureOf(description).factsOf(description), graph, problems }
}

async function graphOf(path: string): Promise<Inspection['graph']> {
  const { description, model } = await readModelFolder(path)
  const file = join(path, GRAPH_FILE)
  const session = await openOnnx(file, { provider: 'cpu', threads: 0, name: description.id })
  try {
    if (!description.raw) await model.probe?.(session)
    return { inputs: session.inputs, outputs: session.outputs }
  } finally {
    await session.close()
  }
}
