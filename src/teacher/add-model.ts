// Making a model known by name: a checked copy in the user's own folder, there as a whole or not at all.

import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { DESCRIPTION_FILE } from './description.ts'
import { addedModelsFolder, listModels } from './find-model.ts'
import { readModelFolder } from './model-folder.ts'
import { openRunner } from './open-teacher.ts'

const NAME = /^[A-Za-z0-9][\w.-]*$/

/**
 * Checks the folder (hashes, inputs, one forward on the CPU), then copies the files that its teacher.json
 * lists, and nothing else.
 *
 * @param name what the model is to be called; absent: the id in its teacher.json
 * @returns name and path of the copy
 * @throws InputError for a damaged folder; ConfigError for a name that is taken or cannot be a folder's,
 *   or for a raw export
 */
export async function addModel(
  from: string,
  name: string | undefined,
): Promise<{ readonly name: string; readonly path: string }> {
  const folder = await readModelFolder(from)
  const { id, files } = folder.description
  const known = name ?? id
  if (!NAME.test(known)) {
    throw new ConfigError(
      `--id: ${JSON.stringify(known)} cannot name a model; use letters, digits, ".", "_" and "-"`,
    )
  }
  const taken = (await listModels()).find((place) => place.name === known)
  if (taken !== undefined) {
    throw new ConfigError(
      `--id: ${known} is taken by ${taken.path} (${taken.origin}); give another, or remove that folder`,
    )
  }
  const runner = await openRunner(folder, { provider: 'cpu', threads: 0 }, () => undefined)
  await runner.close()

  const models = addedModelsFolder()
  const path = join(models, known)
  // One level deeper than models are looked for.
  const temporary = join(models, `.${known}.${process.pid}`)
  const copy = join(temporary, known)
  await mkdir(copy, { recursive: true })
  try {
    for (const file of [...Object.keys(files), DESCRIPTION_FILE]) {
      await copyFile(join(from, file), join(copy, file))
    }
    await readModelFolder(copy)
    await rename(copy, path)
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw new ConfigError(`${path} is there already; give another name with --id`)
    }
    throw error
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return { name: known, path }
}
