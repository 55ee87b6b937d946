// One thread of the extractor's pool: reads captions, says in shared memory which one it is at.

import { parentPort, workerData } from 'node:worker_threads'
import { giveWay } from '../system/priority.ts'
import type { WorkerData, WorkerReply, WorkerRequest } from './extractor.ts'
import { createPhraseFinder, type PhraseResult } from './find-phrases.ts'

// Started by extractor.ts alone, which passes just this.
const data = workerData as WorkerData
const port = parentPort
if (port === null) throw new Error('phrase-worker.ts runs as a worker thread only')
const progress = new Int32Array(data.progress)
giveWay()
const findPhrases = createPhraseFinder(data.caption, data.phrases)
const reply = (message: WorkerReply) => port.postMessage(message)

port.on('message', ({ inputs }: WorkerRequest) => {
  const results: PhraseResult[] = []
  try {
    for (const [index, input] of inputs.entries()) {
      Atomics.store(progress, 0, index)
      results.push(findPhrases(input))
    }
  } catch (error) {
    const index = results.length
    reply({ kind: 'bug', index, error: error instanceof Error ? (error.stack ?? '') : '' })
    return
  }
  reply({ kind: 'done', results })
})

reply({ kind: 'ready' })
