// The command line inside this process: several times faster than a process each, where nothing is to
// be killed.

import { Readable, Writable } from 'node:stream'
import { main } from '../../src/cli.ts'

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export async function runMain(...argv: string[]): Promise<Answer> {
  const output = { stdout: '', stderr: '' }
  const collect = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        output[name] += chunk.toString()
        done()
      },
    })
  const code = await main(argv, {
    stdin: Readable.from([]),
    stdout: collect('stdout'),
    stderr: collect('stderr'),
    signal: new AbortController().signal,
  })
  return { code, ...output }
}
