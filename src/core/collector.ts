// Settings of V8's garbage collector for a program whose memory is pixels: large buffers outside of a
// small heap. They hold for the process, so the program alone calls this, never the library.

import v8 from 'node:v8'
import vm from 'node:vm'

/**
 * To be called before worker threads start, because each takes over what is set then.
 *
 * Young generations would grow to 48 MB per thread over the first minutes and stay there. Marking beside
 * the program starts with every 30 MB of pixels and costs more processor time (a fifth of fetching and
 * decoding) than marking a heap this small in one go, which takes 10 to 20 ms.
 */
export function tuneCollector(): void {
  v8.setFlagsFromString('--max-semi-space-size=4') // MB, of the workers
  v8.setFlagsFromString('--semi-space-growth-factor=1') // this thread's was sized before
  v8.setFlagsFromString('--no-incremental-marking')
  v8.setFlagsFromString('--no-concurrent-marking')
}

/**
 * For a thread that makes large buffers and drops them soon: V8 sees their small handles alone and would
 * let 64 MB of them wait. A look at the young ones takes less than a millisecond.
 *
 * @param limit bytes between two looks
 * @returns to be told of bytes that are dropped soon
 */
export function collectYoung(limit: number): (bytes: number) => void {
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc') as (options: { type: 'minor' }) => void
  let dropped = 0
  return (bytes) => {
    dropped += bytes
    if (dropped < limit) return
    dropped = 0
    // Whoever told us still holds them.
    setImmediate(() => {
      collect({ type: 'minor' })
    })
  }
}
