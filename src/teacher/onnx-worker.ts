// The thread that runs the graph: it owns the session and does nothing else, because a run blocks it.
// The only importer of ONNX Runtime.

import { performance } from 'node:perf_hooks'
import ort from 'onnxruntime-node'
import { serve, type Handover } from '../system/serve.ts'
import type { OnnxReply, OnnxRequest, TensorInfo } from './onnx-session.ts'

// A provider that cannot be had is reported by the exception; the library would print it as well.
ort.env.logLevel = 'fatal'

let session: ort.InferenceSession | undefined

function infoOf(value: ort.InferenceSession.ValueMetadata): TensorInfo {
  if (!value.isTensor) return { name: value.name, type: 'no tensor', shape: [] }
  return { name: value.name, type: value.type, shape: value.shape }
}

async function answer(request: OnnxRequest): Promise<Handover<OnnxReply>> {
  if (request.kind === 'open') {
    session = await ort.InferenceSession.create(request.file, {
      executionProviders: [request.provider],
      intraOpNumThreads: request.threads,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    })
    const inputs = session.inputMetadata.map(infoOf)
    const outputs = session.outputMetadata.map(infoOf)
    return { reply: { kind: 'opened', inputs, outputs } }
  }
  if (session === undefined) throw new Error('no session is open')
  const feeds = Object.fromEntries(
    Object.entries(request.feeds).map(([name, { type, data, dims }]) => [
      name,
      new ort.Tensor(type, data, dims),
    ]),
  )
  const startedAt = performance.now()
  const results = await session.run(feeds)
  const milliseconds = performance.now() - startedAt
  try {
    const outputs = Object.entries(results).map(([name, tensor]) => {
      if (!(tensor.data instanceof Float32Array)) {
        throw new Error(`the output ${name} is ${tensor.type}, not float32`)
      }
      // A copy, since the buffer belongs to the runtime.
      return [name, { type: 'float32', data: tensor.data.slice(), dims: tensor.dims }] as const
    })
    const reply = { kind: 'ran', outputs: Object.fromEntries(outputs), milliseconds } as const
    return { reply, transfer: outputs.map(([, { data }]) => data.buffer) }
  } finally {
    for (const tensor of Object.values(results)) tensor.dispose()
  }
}

serve<OnnxRequest, OnnxReply>(answer, { close: () => session?.release() })
