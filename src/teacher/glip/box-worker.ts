// The thread behind the graph's: turns its outputs into boxes, so that neither the graph nor the thread of
// the pipeline waits for them.

import { giveWay } from '../../system/priority.ts'
import { serve } from '../../system/serve.ts'
import type { Candidate } from '../../core/types.ts'
import { detect, toImage, type DetectRequest } from './postprocess.ts'

giveWay()
serve<DetectRequest, readonly Candidate[]>((request) => ({
  reply: toImage(detect(request), request),
}))
