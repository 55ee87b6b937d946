// The program inside the test's own process.

import { PassThrough, Writable } from 'node:stream'
import { main } from '../../src/cli.ts'

export interface MainEnded {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command as the shell would, without a process. */
export async function runMain(...argv: string[]): Promise<MainEnded> {
  const collect = () => {
    const chunks: string[] = []
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk.toString())
        done()
      },
    })
    return { stream, text: () => chunks.join('') }
  }
  const [stdout, stderr] = [collect(), collect()]
  const code = await main(argv, {
    stdin: new PassThrough(),
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: new AbortController().signal,
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}
