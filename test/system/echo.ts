// Workers that answer with their name and the request: "wait" after a moment, "die" and "for ever" never.

import { startProcess, startThread, WorkerHandle } from '../../src/system/worker.ts'

const MODULE = { path: './echo-worker', from: import.meta.url.replace(/ts$/, 'js') }

/** In a thread. */
export function echoThread(name: string): WorkerHandle<string, string> {
  return new WorkerHandle(startThread(MODULE, { workerData: { name } }), 'the thread')
}

/** In a process, which is ready after `startMs`. */
export function echoProcess(startMs = 0, limitMs?: number): WorkerHandle<string, string> {
  const child = startProcess(MODULE, { name: 'process', startMs }, { ECHO: 'of a process' })
  return new WorkerHandle(child, 'the process', limitMs)
}
