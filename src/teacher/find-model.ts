// Where model folders are: named by path, added by the user, or bundled with the package.

import { readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '../core/errors.ts'
import { DESCRIPTION_FILE } from './description.ts'
import { recogniseHubLayout } from './hub-layout.ts'

const BUNDLED = fileURLToPath(new URL('../../teachers', import.meta.url))

/** A model that is known by name. */
export interface ModelPlace {
  readonly name: string
  readonly path: string
  readonly origin: 'added' | 'bundled'
}

/** Where `teacher add` puts models: $XDG_DATA_HOME/groundmill/teachers, else under ~/.local/share. */
export function addedModelsFolder(): string {
  const data = process.env['XDG_DATA_HOME']
  const base = data !== undefined && data !== '' ? data : join(homedir(), '.local', 'share')
  return join(base, 'groundmill', 'teachers')
}

/** Models known by name, by name; an added one hides a bundled one. */
export async function listModels(): Promise<ModelPlace[]> {
  const places = new Map<string, ModelPlace>()
  for (const [folder, origin] of [
    [BUNDLED, 'bundled'],
    [addedModelsFolder(), 'added'],
  ] as const) {
    for (const name of await namesIn(folder)) {
      const path = join(folder, name)
      if (await isModelFolder(path)) places.set(name, { name, path, origin })
    }
  }
  return [...places.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * The folder of `teacher.model`: a path if such a folder has a teacher.json, else a known name. A folder
 * laid out like a model hub's is taken for one, so that whoever reads it can say what it is.
 *
 * @throws ConfigError with the known names
 */
export async function findModel(model: string): Promise<string> {
  if (await isModelFolder(model)) return resolve(model)
  const places = await listModels()
  const place = places.find(({ name }) => name === model)
  if (place !== undefined) return place.path
  if ((await recogniseHubLayout(model)) !== undefined) return resolve(model)
  const known = places.map(({ name }) => name).join(', ')
  throw new ConfigError(
    `teacher.model: ${model} is neither a folder with a ${DESCRIPTION_FILE} nor a known model ` +
      `(${known === '' ? 'none is installed' : known}); "groundmill teacher add" makes one known`,
  )
}

async function isModelFolder(path: string): Promise<boolean> {
  try {
    return (await stat(join(path, DESCRIPTION_FILE))).isFile()
  } catch {
    return false
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
