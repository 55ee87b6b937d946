// The thread before the graph's: checks, decodes, hashes and fits images. What it hands on is small, so
// that what waits for the teacher is, too.

import { setMaxListeners } from 'node:events'
import { workerData, type Transferable } from 'node:worker_threads'
import { collectYoung } from '../core/collector.ts'
import { SampleError } from '../core/errors.ts'
import { fitImage } from '../core/model-input.ts'
import { giveWay } from '../core/priority.ts'
import { serve, type Answer } from '../core/thread.ts'
import { createImageChecker } from './check-image.ts'
import type { ImageReply, ImageThreadData } from './image-threads.ts'

/** Of decoded pixels. */
const COLLECT_BYTES = 8e6
const { options, input: modelInput, withPixels } = workerData as ImageThreadData
const checker = createImageChecker(options)
const { signal } = new AbortController()
setMaxListeners(0, signal) // one per image that waits for its turn
const dropSoon = collectYoung(COLLECT_BYTES)

async function answer(bytes: Uint8Array): Promise<Answer<ImageReply>> {
  try {
    const { decoded, ...checked } = await checker.check(bytes, signal)
    dropSoon(decoded.data.buffer.byteLength)
    const loaded =
      modelInput === undefined ? checked : { ...checked, input: fitImage(decoded, modelInput) }
    const transfer = [loaded.bytes.buffer, ...('input' in loaded ? [loaded.input.data.buffer] : [])]
    return {
      reply: {
        loaded,
        // A message clones the whole buffer behind a view.
        ...(withPixels ? { decoded: { ...decoded, data: new Uint8Array(decoded.data) } } : {}),
      },
      transfer: transfer as Transferable[],
    }
  } catch (error) {
    if (!(error instanceof SampleError)) throw error
    return { reply: { code: error.code, detail: error.message } }
  }
}

giveWay()
serve(answer, { inParallel: true })
