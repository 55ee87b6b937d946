// Python for tests that compare with the real readers and writers of other projects. Looked for in
// GROUNDMILL_PYTHON, then .venv; a test without it says so aloud and is skipped.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from './groundmill.ts'

const run = promisify(execFile)

/**
 * The interpreter, if it has the modules.
 *
 * @returns undefined, after a line on stderr that says what is missing
 */
export function findPython(...modules: readonly string[]): string | undefined {
  const python = [process.env['GROUNDMILL_PYTHON'], path.join(ROOT, '.venv/bin/python')].find(
    (candidate) => candidate !== undefined && existsSync(candidate),
  )
  if (python === undefined) {
    console.warn('SKIPPED: no Python; set GROUNDMILL_PYTHON or make .venv, see CONTRIBUTING.md')
    return undefined
  }
  const find = `import sys, importlib.util as u; print(*[m for m in sys.argv[1:] if not u.find_spec(m)])`
  const { stdout } = spawnSync(python, ['-c', find, ...modules], { encoding: 'utf8' })
  const missing = stdout.trim()
  if (missing === '') return python
  console.warn(`SKIPPED: ${python} has no ${missing}; see CONTRIBUTING.md for what to install`)
  return undefined
}

/**
 * Runs a script of the tests.
 *
 * @param script relative to the repository
 * @returns what it printed
 */
export async function runPython(
  python: string,
  script: string,
  ...args: readonly string[]
): Promise<string> {
  const { stdout } = await run(python, [path.join(ROOT, script), ...args], {
    maxBuffer: 2 ** 26,
    env: { ...process.env, HF_DATASETS_OFFLINE: '1', HF_HUB_OFFLINE: '1' },
  })
  return stdout
}
