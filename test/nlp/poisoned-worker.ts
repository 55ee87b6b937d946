// Speaks the protocol of phrase-worker.ts; hangs, dies or fails at the captions HANG, DIE and BUG.

import { parentPort, workerData } from 'node:worker_threads'
import type { WorkerData, WorkerReply, WorkerRequest } from '../../src/nlp/extractor.ts'
import type { PhraseResult } from '../../src/nlp/find-phrases.ts'

const progress = new Int32Array((workerData as WorkerData).progress)
const reply = (message: WorkerReply) => parentPort!.postMessage(message)

parentPort!.on('message', ({ inputs }: WorkerRequest) => {
  const results: PhraseResult[] = []
  for (const [index, { caption }] of inputs.entries()) {
    Atomics.store(progress, 0, index)
    if (caption === 'HANG') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    if (caption === 'DIE') process.exit(3)
    if (caption === 'BUG') {
      reply({ kind: 'bug', index, error: 'broken' })
      return
    }
    const span = { start: 0, end: caption.length }
    const phrase = { ...span, text: caption, head: caption, lemma: caption }
    results.push({ caption, phrases: [phrase], sourceSpans: [span] })
  }
  reply({ kind: 'done', results })
})

reply({ kind: 'ready' })
