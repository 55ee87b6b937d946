// GLIP's graph contract: prompts on images of one padded size in, one set of outputs per prompt back.

import { InputError } from '../../core/errors.ts'
import type { Outputs, Row } from '../adapter.ts'
import type { Tokenizer } from '../bert-tokenizer.ts'
import type { TensorData } from '../onnx-session.ts'
import type { GlipDescription } from './description.ts'
import { writePositiveMap } from './positive-map.ts'
import type { GraphOutputs } from './postprocess.ts'
import type { Prompt } from './prompts.ts'

/** One prompt on one image. */
export type GraphRow = Row<Pick<Prompt, 'ids' | 'phrases'>>

/** What the graph's inputs are called, and which id pads a caption. */
interface GraphModel {
  readonly description: Pick<GlipDescription, 'inputs'>
  readonly tokenizer: Pick<Tokenizer, 'padId'>
}

/**
 * Captions are padded to the longest of the batch, which changes nothing; images must share a padded
 * size, because padding does change results.
 *
 * @param rows at least one
 */
export function feedsOf(
  rows: readonly GraphRow[],
  { description: { inputs }, tokenizer }: GraphModel,
): Record<string, TensorData> {
  const batch = rows.length
  const tokenCount = Math.max(...rows.map(({ prompt }) => prompt.ids.length))
  const phraseCount = Math.max(...rows.map(({ prompt }) => prompt.phrases.length))
  const { padded } = rows[0]!.input
  const imageBytes = padded.height * padded.width * 3
  const images = new Uint8Array(batch * imageBytes)
  const sizes = new BigInt64Array(batch * 2)
  const ids = new BigInt64Array(batch * tokenCount).fill(BigInt(tokenizer.padId))
  const mask = new BigInt64Array(batch * tokenCount)
  const map = new Float32Array(batch * phraseCount * tokenCount)
  rows.forEach(({ prompt, input }, row) => {
    images.set(input.data, row * imageBytes)
    sizes[row * 2] = BigInt(input.resized.height)
    sizes[row * 2 + 1] = BigInt(input.resized.width)
    prompt.ids.forEach((id, token) => {
      ids[row * tokenCount + token] = BigInt(id)
      mask[row * tokenCount + token] = 1n
    })
    const tokens = prompt.phrases.map((phrase) => phrase.tokens)
    writePositiveMap(tokens, tokenCount, map.subarray(row * phraseCount * tokenCount))
  })
  return {
    [inputs.images]: { type: 'uint8', data: images, dims: [batch, padded.height, padded.width, 3] },
    [inputs.imageSizes]: { type: 'int64', data: sizes, dims: [batch, 2] },
    [inputs.inputIds]: { type: 'int64', data: ids, dims: [batch, tokenCount] },
    [inputs.attentionMask]: { type: 'int64', data: mask, dims: [batch, tokenCount] },
    [inputs.positiveMap]: { type: 'float32', data: map, dims: [batch, phraseCount, tokenCount] },
  }
}

/**
 * The outputs of each row of a batch, in buffers of their own.
 *
 * @throws InputError when the shapes are not those of the contract
 */
export function outputsOf(
  results: Outputs,
  { outputs: names }: Pick<GlipDescription, 'outputs'>,
): GraphOutputs[] {
  const tensors = [names.phraseProb, names.boxReg, names.centerness].map((name) => results[name]!)
  const [batch, positions, phraseCount] = tensors[0]!.dims as [number, number, number]
  const expected = `[${batch}, ${positions}, ${phraseCount}], [${batch}, ${positions}, 4], [${batch}, ${positions}]`
  const found = tensors.map(({ dims }) => `[${dims.join(', ')}]`).join(', ')
  if (found !== expected) {
    throw new InputError(`the graph's outputs have the shapes ${found} instead of ${expected}`)
  }
  return Array.from({ length: batch }, (_, row) => {
    const [phraseProb, boxReg, centerness] = tensors.map(({ data }) => {
      const length = data.length / batch
      return data.slice(row * length, (row + 1) * length)
    }) as [Float32Array, Float32Array, Float32Array] // one for each tensor
    return { phraseProb, phraseCount, boxReg, centerness }
  })
}
