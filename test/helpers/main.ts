// The program inside the test's own process: several times faster than a process each, where nothing is
// to be killed.

import { Readable } from 'node:stream'
import { main } from '../../src/cli.ts'
import { collector } from './collector.ts'

export interface MainEnded {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command as the shell would, without a process. */
export async function runMain(...argv: string[]): Promise<MainEnded> {
  const [stdout, stderr] = [collector(), collector()]
  const code = await main(argv, {
    stdin: Readable.from([]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: new AbortController().signal,
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}
