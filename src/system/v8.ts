// Settings of V8 for a program whose memory is pixels, large buffers outside of a small heap, and whose
// processor time is spent outside of JavaScript. They hold for the process, so the program alone calls
// `tuneV8`, never the library.

import v8 from 'node:v8'
import vm from 'node:vm'

/**
 * To be called before worker threads start, because each takes over what is set then.
 *
 * Young generations would grow to 48 MB per thread over the first minutes and stay there. Marking beside
 * the program starts with every 30 MB of pixels and costs more processor time (a fifth of fetching and
 * decoding) than marking a heap this small in one go, which takes 10 to 20 ms. The optimizing compiler would
 * take a tenth of the time of fetching a few thousand images; what is hot for more than milliseconds, such as
 * the resize and the boxes, still gets there.
 */
export function tuneV8(): void {
  v8.setFlagsFromString('--max-semi-space-size=4') // MB, of the workers
  v8.setFlagsFromString('--semi-space-growth-factor=1') // this thread's was sized before
  v8.setFlagsFromString('--no-incremental-marking')
  v8.setFlagsFromString('--no-concurrent-marking')
  // Bytes of bytecode run; V8's is 66 KiB. Node 22 and later have other tiers and no such flag.
  if (process.versions.v8.startsWith('11.')) v8.setFlagsFromString('--interrupt-budget=1000000')
}

/** Bytes of buffers between two looks at the young objects. */
const COLLECT_BYTES = 8e6
/** Bytes of a single buffer that are worth a look at all objects, which takes some 10 ms. */
const LARGE_BYTES = 16e6
let collect: ((options?: { type: 'minor' }) => void) | undefined
let waiting = 0

/**
 * Tells that large buffers of this thread are needed no longer: V8 sees their small handles alone and would
 * let 64 MB of them wait. A look at the young ones takes less than a millisecond.
 *
 * @returns resolves when a large one is gone
 */
export async function dropped(bytes: number): Promise<void> {
  waiting += bytes
  if (waiting < COLLECT_BYTES) return
  waiting = 0
  if (collect === undefined) {
    v8.setFlagsFromString('--expose-gc')
    collect = vm.runInNewContext('gc') as NonNullable<typeof collect>
  }
  await nextTurn() // whoever told us still holds them
  if (bytes < LARGE_BYTES) collect({ type: 'minor' })
  else collect() // with { type: 'major' } it now and then leaves what is dead
  await nextTurn() // what buffers hold outside of V8 is freed a turn later
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
