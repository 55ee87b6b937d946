// The Python package in models/, run as modules.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** Runs a module of models/; returns what it printed on stdout. */
export type Python = (module: string, ...args: readonly string[]) => Promise<string>

/** undefined without an interpreter that has what the package needs. */
export function findPython(): Python | undefined {
  const executable = [process.env['GROUNDMILL_PYTHON'], path.join(ROOT, '.venv/bin/python')].find(
    (candidate) => candidate !== undefined && existsSync(candidate),
  )
  if (executable === undefined) return undefined
  const { status } = spawnSync(executable, ['-c', 'import torch, onnxruntime, PIL, tqdm'])
  if (status !== 0) return undefined
  return async (module, ...args) => {
    const { stdout } = await promisify(execFile)(executable, ['-m', module, ...args], {
      cwd: path.join(ROOT, 'models'),
      maxBuffer: 2 ** 26,
    })
    return stdout
  }
}
