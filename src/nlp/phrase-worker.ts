// One thread of the extractor's pool: reads captions, says in shared memory which one it is at.

import { workerData } from 'node:worker_threads'
import { giveWay } from '../system/priority.ts'
import { serve } from '../system/serve.ts'
import type { PhraseRequest } from './extractor.ts'
import { createPhraseFinder, type PhraseResult } from './find-phrases.ts'
import type { PhraseConfig } from './options.ts'

giveWay()
// Started by extractor.ts alone, which passes just this.
const findPhrases = createPhraseFinder(workerData as PhraseConfig)

serve<PhraseRequest, readonly PhraseResult[]>(({ inputs, progress }) => {
  const at = new Int32Array(progress)
  const reply = inputs.map((input, index) => {
    Atomics.store(at, 0, index)
    return findPhrases(input)
  })
  return { reply }
})
