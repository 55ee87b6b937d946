// The built program as a child process, with its time and its memory.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

const ROOT = path.join(import.meta.dirname, '..')

export interface Cost {
  readonly seconds: number
  /** User and system time; other programs on the machine do not stretch it. */
  readonly cpuSeconds: number
  /** Largest resident size, MB (10^6 bytes). */
  readonly peakMb: number
}

export interface ProgramRun extends Cost {
  readonly stdout: string
  readonly stderr: string
}

/** E.g. "1.40 s (0.90 s of CPU), peak 120 MB". */
export function formatCost({ seconds, cpuSeconds, peakMb }: Cost): string {
  return `${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of CPU), peak ${peakMb.toFixed(0)} MB`
}

export function costOf({ seconds, cpuSeconds, peakMb }: Cost): Cost {
  return { seconds, cpuSeconds, peakMb }
}

/** Works in a temporary folder, which goes when the work is done. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'groundmill-bench-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Uniform in [0, 1), the same numbers every time: Numerical Recipes' 32-bit generator. */
export function createRandom(seed = 1): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Compiles src/ to dist/, so that what is measured and tested is what there is; what tsc says is on stderr. */
export function buildProgram(): void {
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    stdio: ['ignore', process.stderr.fd, 'inherit'],
  })
}

const MARK = '\nresource usage: '
const REPORT_USAGE = `data:text/javascript,
process.on('exit', () => {
  process.stderr.write(${JSON.stringify(MARK)} + JSON.stringify(process.resourceUsage()))
})`

interface Usage {
  readonly maxRSS: number
  readonly userCPUTime: number
  readonly systemCPUTime: number
}

/** @throws Error with what the program said if it ends with another code than 0 */
export async function runProgram(argv: readonly string[]): Promise<ProgramRun> {
  const begun = performance.now()
  const program = path.join(ROOT, 'dist/main.js')
  const child = spawn(process.execPath, ['--import', REPORT_USAGE, program, ...argv], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const seconds = (performance.now() - begun) / 1000
  const [stderr = '', ...usages] = output.stderr.split(MARK)
  if (code !== 0) throw new Error(`groundmill ${argv.join(' ')} ended with ${code}: ${stderr}`)
  // Threads report too, before the process does; the numbers are the process's.
  const usage = JSON.parse(usages.at(-1) ?? '{}') as Usage
  return {
    seconds,
    cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6,
    peakMb: (usage.maxRSS * 1024) / 1e6,
    stdout: output.stdout,
    stderr,
  }
}
