import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/core/errors.ts'
import { feedsOf, outputsOf, type GraphRow } from '../../../src/teacher/glip/glip-graph.ts'
import type { FloatTensor } from '../../../src/teacher/onnx-session.ts'

const MODEL = {
  description: {
    inputs: {
      images: 'i',
      imageSizes: 's',
      inputIds: 't',
      attentionMask: 'm',
      positiveMap: 'p',
    },
    outputs: { phraseProb: 'prob', boxReg: 'reg', centerness: 'center' },
  },
  tokenizer: { padId: 9 },
}

describe('feedsOf', () => {
  const padded = { width: 2, height: 1 }
  const row = (pixel: number, width: number, prompt: GraphRow['prompt']): GraphRow => ({
    prompt,
    input: {
      data: new Uint8Array(6).fill(pixel),
      original: { width: 640, height: 480 },
      resized: { width, height: 1 },
      padded,
    },
  })

  it('pads captions and phrases to the longest of the batch', () => {
    const rows = [
      row(7, 2, { ids: [2, 5, 3], phrases: [{ phrase: 0, tokens: [1] }] }),
      row(8, 1, {
        ids: [2, 5, 6, 3],
        phrases: [
          { phrase: 4, tokens: [1, 2] },
          { phrase: 0, tokens: [2] },
        ],
      }),
    ]

    expect(feedsOf(rows, MODEL)).toEqual({
      i: {
        type: 'uint8',
        data: new Uint8Array([7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8]),
        dims: [2, 1, 2, 3],
      },
      // Height before width, without the padding.
      s: { type: 'int64', data: new BigInt64Array([1n, 2n, 1n, 1n]), dims: [2, 2] },
      t: { type: 'int64', data: new BigInt64Array([2n, 5n, 3n, 9n, 2n, 5n, 6n, 3n]), dims: [2, 4] },
      m: { type: 'int64', data: new BigInt64Array([1n, 1n, 1n, 0n, 1n, 1n, 1n, 1n]), dims: [2, 4] },
      p: {
        type: 'float32',
        data: new Float32Array([0, 1, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 1, 0]),
        dims: [2, 2, 4],
      },
    })
  })
})

describe('outputsOf', () => {
  /** Counts up from `from`. */
  const tensor = (from: number, ...dims: number[]): FloatTensor => {
    const length = dims.reduce((product, dim) => product * dim)
    return { type: 'float32', data: Float32Array.from({ length }, (_, i) => from + i), dims }
  }

  it('gives each row its part, in a buffer of its own', () => {
    const results = {
      prob: tensor(0, 2, 1, 3),
      reg: tensor(10, 2, 1, 4),
      center: tensor(20, 2, 1),
      more: tensor(0, 1),
    }

    const rows = outputsOf(results, MODEL.description)

    expect(rows).toEqual([
      {
        phraseProb: new Float32Array([0, 1, 2]),
        phraseCount: 3,
        boxReg: new Float32Array([10, 11, 12, 13]),
        centerness: new Float32Array([20]),
      },
      {
        phraseProb: new Float32Array([3, 4, 5]),
        phraseCount: 3,
        boxReg: new Float32Array([14, 15, 16, 17]),
        centerness: new Float32Array([21]),
      },
    ])
    expect(rows[1]!.phraseProb.buffer.byteLength).toBe(3 * 4)
  })

  it.each<[string, Record<string, FloatTensor>, string]>([
    ['other batches', { reg: tensor(0, 1, 5, 4) }, '[2, 5, 3], [1, 5, 4], [2, 5]'],
    ['other positions', { center: tensor(0, 2, 6) }, '[2, 5, 3], [2, 5, 4], [2, 6]'],
    ['three deltas', { reg: tensor(0, 2, 5, 3) }, '[2, 5, 3], [2, 5, 3], [2, 5]'],
    ['a column too many', { center: tensor(0, 2, 5, 1) }, '[2, 5, 3], [2, 5, 4], [2, 5, 1]'],
  ])('refuses %s', (_, other, found) => {
    const results = { prob: tensor(0, 2, 5, 3), reg: tensor(0, 2, 5, 4), center: tensor(0, 2, 5) }

    expect(() => outputsOf({ ...results, ...other }, MODEL.description)).toThrow(
      new InputError(
        `the graph's outputs have the shapes ${found} instead of [2, 5, 3], [2, 5, 4], [2, 5]`,
      ),
    )
  })
})
