// Folders as model hubs hold them: config.json, preprocessor_config.json, tokenizer files, onnx/. They are
// recognised to be named; what they hold is not run.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** What a hub repository is known by, beside config.json. */
const SIGNS = ['preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx']

const configSchema = z.object({ model_type: z.string().min(1).max(100) })

/** A folder that is laid out like a hub's repository. */
export interface HubLayout {
  /** `model_type` of config.json, e.g. "owlv2"; absent when it does not say. */
  readonly modelType?: string
  /** Names in the folder that show it. */
  readonly signs: readonly string[]
}

/** @returns undefined for any other folder, and for none */
export async function recogniseHubLayout(path: string): Promise<HubLayout | undefined> {
  const names = await readdir(path).catch((): string[] => [])
  const signs = SIGNS.filter((name) => names.includes(name))
  if (!names.includes('config.json') || signs.length === 0) return undefined
  const layout = { signs: ['config.json', ...signs] }
  try {
    const config: unknown = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    return { ...layout, modelType: configSchema.parse(config).model_type }
  } catch {
    return layout
  }
}
