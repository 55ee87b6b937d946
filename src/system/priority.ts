// Which threads give way when there are more of them than cores. On a CPU the graph's threads wait for each
// other many times per image, so whoever delays one delays all; everybody else has work that can be done in
// the gaps. Linux alone has priorities per thread; elsewhere all threads stay equal.

import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import os from 'node:os'

/** Added to the niceness (-20 to 19, higher gives way) of threads that help; about a tenth of the share. */
const HELPER_NICENESS = 10

/** Called in a worker thread: it gives way to the graph and to the thread of the pipeline from now on. */
export function giveWay(): void {
  if (process.platform === 'linux') os.setPriority(0, HELPER_NICENESS)
}

/**
 * Called early in a process whose threads wake each other for pieces of microseconds, as libvips' do 50 times
 * per image: whoever is woken lets the other finish (SCHED_BATCH, sched(7)), which saves a tenth of the
 * processor time. Node has no call for it. Where there is no `chrt`, or it may not, nothing changes but that.
 */
export function letThreadsFinish(): void {
  if (process.platform !== 'linux') return
  execFile('chrt', ['-a', '-b', '-p', '0', String(process.pid)], () => undefined)
}

let haveGivenWay = false

/**
 * Called in the main thread before a graph is opened: the runtime's own threads, which decode images,
 * write files and collect garbage, give way. There is no way back. Later calls do nothing: they would
 * find the threads of the first graph.
 */
export function letRuntimeThreadsGiveWay(): void {
  if (process.platform !== 'linux' || haveGivenWay) return
  haveGivenWay = true
  for (const thread of readdirSync('/proc/self/task')) {
    if (Number(thread) === process.pid) continue
    try {
      os.setPriority(Number(thread), HELPER_NICENESS)
    } catch {
      // It has ended since.
    }
  }
}
