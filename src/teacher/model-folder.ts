// A model is a folder: a teacher.json that says what it is and what the bytes of its other files must be,
// and those files. Nothing in it is trusted before it is checked.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError, messageOf } from '../core/errors.ts'
import type { Model } from './architecture.ts'
import { architectureNames, architectureOf, descriptionSchema } from './architectures.ts'
import { DESCRIPTION_FILE, DESCRIPTION_FORMAT, type ModelFolder } from './description.ts'
import { recogniseHubLayout } from './hub-layout.ts'

/** A model folder whose files are what its teacher.json says. */
export interface LoadedFolder extends ModelFolder {
  readonly model: Model
}

/**
 * Reads and checks a model folder: the description, then size and sha256 of each file (one pass over
 * their bytes), then what the architecture needs of them.
 *
 * @throws InputError naming the file or field, what is there and what was expected
 */
export async function readModelFolder(path: string): Promise<LoadedFolder> {
  const folder = await readDescription(path)
  for (const [name, expected] of Object.entries(folder.description.files)) {
    await checkFile(join(path, name), expected)
  }
  return { ...folder, model: await architectureOf(folder.description).load(folder) }
}

/**
 * teacher.json alone, without a look at the other files.
 *
 * @throws InputError saying what is wrong with it, or what the folder is instead
 */
export async function readDescription(path: string): Promise<ModelFolder> {
  const file = join(path, DESCRIPTION_FILE)
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    throw new InputError(
      (await hubProblem(path)) ??
        `${file} cannot be read (${messageOf(error)}); is ${path} a model folder?`,
    )
  }
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new InputError(`${file} is not JSON: ${messageOf(error)}`)
  }
  const version = z.object({ formatVersion: z.unknown() }).safeParse(json).data?.formatVersion
  if (typeof version === 'number' && version !== DESCRIPTION_FORMAT) {
    throw new InputError(
      `${file} has formatVersion ${version}; this version of groundmill reads ${DESCRIPTION_FORMAT}`,
    )
  }
  const parsed = descriptionSchema.safeParse(json)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new InputError(`${file} is not a teacher description: ${problems.join('; ')}`)
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { path, description: parsed.data, sha256 }
}

async function hubProblem(path: string): Promise<string | undefined> {
  const hub = await recogniseHubLayout(path)
  if (hub === undefined) return undefined
  const { modelType, signs } = hub
  const model =
    modelType === undefined ? 'a model of unknown type' : `a model of type "${modelType}"`
  return (
    `${path} is laid out like a repository of a model hub (${signs.join(', ')}) and holds ${model}, ` +
    `which this version of groundmill cannot run; it runs folders with a ${DESCRIPTION_FILE}, ` +
    `of the architectures ${architectureNames.join(', ')}`
  )
}

/** @throws InputError when the file is not there or holds other bytes than teacher.json says */
export async function checkFile(
  file: string,
  expected: { readonly size: number; readonly sha256: string },
): Promise<void> {
  const remedy = 'copy the model folder again'
  let size: number
  try {
    size = (await stat(file)).size
  } catch (error) {
    throw new InputError(`${file} is missing (${messageOf(error)}); ${remedy}`)
  }
  if (size !== expected.size) {
    throw new InputError(`${file} has ${size} bytes, teacher.json says ${expected.size}; ${remedy}`)
  }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer)
  }
  const sha256 = hash.digest('hex')
  if (sha256 !== expected.sha256) {
    throw new InputError(
      `${file} has sha256 ${sha256}, teacher.json says ${expected.sha256}; ${remedy}`,
    )
  }
}
