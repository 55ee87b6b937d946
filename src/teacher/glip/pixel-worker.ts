// The thread beside the graph's: resizes images before it and turns its outputs into boxes after it, so
// that neither the graph nor the thread of the pipeline waits for them.

import { giveWay } from '../../core/priority.ts'
import { serve, type Answer } from '../thread.ts'
import type { PixelReply, PixelRequest } from './pixel-threads.ts'
import { detect, toImage } from './postprocess.ts'
import { prepareImage } from './preprocess.ts'

function answer(request: PixelRequest): Answer<PixelReply> {
  switch (request.kind) {
    case 'prepare': {
      const pixels = prepareImage(request.image, request.resized, request.padded)
      return { reply: { kind: 'prepared', pixels }, transfer: [pixels.buffer as ArrayBuffer] }
    }
    case 'detect': {
      const { outputs, padded, resized, original, phrases, options } = request
      const detections = detect(outputs, padded, resized, options)
      return {
        reply: { kind: 'detected', candidates: toImage(detections, resized, original, phrases) },
      }
    }
  }
}

giveWay()
serve(answer)
