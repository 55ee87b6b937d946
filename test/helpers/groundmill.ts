// The built program as a child process, as a user starts it.

import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname, '../..')
const PROGRAM = path.join(ROOT, 'dist/main.js')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** Working directory is the repository, so that `sample/` and `configs/` are there. */
export function startGroundmill(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [PROGRAM, ...argv], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, ...output })
    })
  })
  return { child, ended }
}

export function groundmill(...argv: string[]): Promise<Ended> {
  return startGroundmill(argv).ended
}

/** sha256 of every file below a folder by relative path; of commit records without their stats. */
export async function fingerprint(folder: string): Promise<Record<string, string>> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const pairs = await Promise.all(
    files.map(async (entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const bytes = await fs.readFile(file)
      const content = entry.name === 'commit.json' ? withoutStats(bytes.toString()) : bytes
      const hash = createHash('sha256').update(content).digest('hex')
      return [path.relative(folder, file), hash] as const
    }),
  )
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function withoutStats(text: string): string {
  const { stats, ...record } = JSON.parse(text) as Record<string, unknown>
  if (stats === undefined) throw new Error('commit.json has no stats')
  return JSON.stringify(record)
}
