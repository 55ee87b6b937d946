import fs from 'node:fs/promises'
import path from 'node:path'

/** Run in every thread before its own code; what a thread runs is known a moment later. */
const PRELOADED = `
const { existsSync } = require('node:fs')
const { isMainThread } = require('node:worker_threads')
if (!isMainThread) {
  setInterval(() => {
    if (process.argv[1]?.includes('onnx-worker') && existsSync(process.env.DIE_WHEN_EXISTS)) {
      process.exit(7)
    }
  }, 5).unref()
}`

/**
 * An environment in which the thread that runs the teacher's graph ends with code 7 as soon as a file
 * exists, as a crash of the runtime would.
 */
export async function dyingTeacher(folder: string, file: string): Promise<NodeJS.ProcessEnv> {
  const preload = path.join(folder, 'die-in-teacher.cjs')
  await fs.writeFile(preload, PRELOADED)
  return { NODE_OPTIONS: `--require ${preload}`, DIE_WHEN_EXISTS: file }
}
