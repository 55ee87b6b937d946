// A process before the graph: checks, decodes, hashes and fits images. What it hands on is small, so that what
// waits for the teacher is, too. It ends when whoever started it is gone.

import { setMaxListeners } from 'node:events'
import fs from 'node:fs'
import { SampleError } from '../../core/errors.ts'
import { fitImage } from '../../core/model-input.ts'
import { giveWay, letThreadsFinish } from '../../system/priority.ts'
import { serve, type Handover } from '../../system/serve.ts'
import type { FilePart } from '../../core/types.ts'
import { dropped, tuneV8 } from '../../system/v8.ts'
import { readPart } from '../../system/read-part.ts'
import type { ImageProcessData, ImageReply, ImageRequest } from './processes.ts'

tuneV8()
giveWay()
letThreadsFinish()
const { createImageChecker } = await import('./check.ts')

const { options, input: modelInput, withPixels } = JSON.parse(process.argv[2]!) as ImageProcessData
const checker = createImageChecker(options)
const { signal } = new AbortController()
setMaxListeners(0, signal) // one per image that waits for its turn

async function answer(encoded: ImageRequest): Promise<Handover<ImageReply>> {
  try {
    const bytes = encoded instanceof Uint8Array ? encoded : readFrom(encoded)
    const {
      used,
      isReencoded,
      bytes: stored,
      ...facts
    } = await checker.check(bytes, signal, (decoded) => ({
      ...(modelInput === undefined ? {} : { input: fitImage(decoded, modelInput) }),
      ...(withPixels ? { decoded } : {}),
    }))
    const { decoded, ...input } = used
    const checked = { ...facts, ...input, ...(isReencoded ? { reencoded: stored } : {}) }
    return { reply: { checked, ...(decoded === undefined ? {} : { decoded }) } }
  } catch (error) {
    void dropped(encoded.length)
    if (!(error instanceof SampleError)) throw error
    return { reply: { code: error.code, detail: error.message } }
  }
}

function readFrom({ path, offset, length }: FilePart): Uint8Array {
  const file = fs.openSync(path, 'r')
  try {
    return readPart(file, offset, length)
  } finally {
    fs.closeSync(file)
  }
}

serve<ImageRequest, ImageReply>(answer, { overlap: true })
