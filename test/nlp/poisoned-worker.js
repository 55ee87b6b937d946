// Answers as phrase-worker.ts does; hangs, dies or fails at the captions HANG, DIE and BUG.

import { serve } from '../../dist/system/serve.js'

serve(({ inputs, progress }) => {
  const at = new Int32Array(progress)
  const reply = inputs.map(({ caption }, index) => {
    Atomics.store(at, 0, index)
    if (caption === 'HANG') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    if (caption === 'DIE') process.exit(3)
    if (caption === 'BUG') throw new Error('broken')
    const span = { start: 0, end: caption.length }
    const phrase = { ...span, text: caption, head: caption, lemma: caption }
    return { caption, phrases: [phrase], sourceSpans: [span] }
  })
  return { reply }
})
