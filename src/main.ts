#!/usr/bin/env node
// The program: real streams and signals around main().

import { tuneV8 } from './system/v8.ts'

tuneV8()
// Loaded after, since loading alone makes young generations grow.
const { Interrupted, main } = await import('./cli.ts')

/** An orchestrator kills 30 s after SIGTERM; what is not drained by then never will be. */
const GRACE_MS = 25_000

const controller = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  const die = () => {
    // The default action: no exit handlers, which would crash inside a running graph. It has no effect
    // on process 1 of a container, which goes on to end in good order.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  process.on(signal, () => {
    if (controller.signal.aborted) {
      die()
      return
    }
    process.stderr.write(`groundmill: ${signal}: ending; once more to stop at once\n`)
    controller.abort(new Interrupted(signal))
    setTimeout(die, GRACE_MS).unref()
  })
}
// A reader that closes early (`| head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
})
