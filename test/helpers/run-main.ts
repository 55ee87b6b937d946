// A command inside the test's process, with streams of its own.

import { PassThrough, Readable } from 'node:stream'
import { main } from '../../src/cli.ts'

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export async function runMain(...argv: string[]): Promise<Answer> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const { signal } = new AbortController()
  const code = await main(argv, { stdin: Readable.from([]), stdout, stderr, signal })
  return { code, stdout: textOf(stdout), stderr: textOf(stderr) }
}

function textOf(stream: PassThrough): string {
  return String(stream.read() ?? '')
}
