// The thread behind the graph's: turns its outputs into boxes, so that neither the graph nor the thread of
// the pipeline waits for them.

import { giveWay } from '../../system/priority.ts'
import { serve } from '../../system/serve.ts'
import type { Candidate } from '../../core/types.ts'
import type { DetectRequest } from './box-threads.ts'
import { detect, toImage } from './postprocess.ts'

giveWay()
serve<DetectRequest, readonly Candidate[]>(
  ({ outputs, padded, resized, original, phrases, options }) => {
    const detections = detect(outputs, padded, resized, options)
    return { reply: toImage(detections, resized, original, phrases) }
  },
)
