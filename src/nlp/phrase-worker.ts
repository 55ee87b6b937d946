// One thread of the extractor's pool: reads captions, says in shared memory which one it is at.

import { workerData } from 'node:worker_threads'
import { giveWay } from '../system/priority.ts'
import { serve } from '../system/serve.ts'
import type { PhraseRequest, PhraseWorkerData } from './extractor.ts'
import { createPhraseFinder, type PhraseResult } from './find-phrases.ts'

// Started by extractor.ts alone, which passes just this.
const data = workerData as PhraseWorkerData
giveWay()
const findPhrases = createPhraseFinder(data.caption, data.phrases)

serve<PhraseRequest, readonly PhraseResult[]>(({ inputs, progress }) => {
  const at = new Int32Array(progress)
  const reply = inputs.map((input, index) => {
    Atomics.store(at, 0, index)
    return findPhrases(input)
  })
  return { reply }
})
