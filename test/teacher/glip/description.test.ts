import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { glipSchema, type GlipDescription } from '../../../src/teacher/glip/description.ts'
import { TOY } from '../toy.ts'

const toy = glipSchema.parse(JSON.parse(readFileSync(join(TOY, 'teacher.json'), 'utf8')))

/** "path: message" of each problem of the toy's description with other sections. */
function problemsOf(sections: Partial<Record<keyof GlipDescription, unknown>>): string[] {
  const issues = glipSchema.safeParse({ ...toy, ...sections }).error?.issues ?? []
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('glipSchema', () => {
  it('needs graph and vocabulary', () => {
    expect(problemsOf({ files: {} })).toEqual([
      'files: must list model.onnx',
      'files: must list vocab.txt',
    ])
  })

  it('takes sides that are equal, none that are the wrong way round', () => {
    expect(problemsOf({ image: { ...toy.image, shortSide: 128 } })).toEqual([])
    expect(problemsOf({ image: { ...toy.image, shortSide: 129 } })).toEqual([
      'image: shortSide is above longSide',
    ])
  })

  it('wants a padding that the first three strides divide, and no further one', () => {
    const image = { ...toy.image, padMultiple: 48 }

    expect(problemsOf({ image })).toEqual([
      'image.padMultiple: must be a multiple of the first three strides',
    ])
    const anchors = { strides: [8, 16, 24, 36], sizes: [64, 128, 192, 288] }
    expect(problemsOf({ image, anchors })).toEqual([])
  })

  it.each<[string, Partial<Record<keyof GlipDescription, unknown>>]>([
    ['text.maxTokens', { text: { ...toy.text, maxTokens: 7 } }],
    ['image.channelOrder', { image: { ...toy.image, channelOrder: 'GRB' } }],
    ['image.mean', { image: { ...toy.image, mean: [0, 0] } }],
    ['inputs.positiveMap', { inputs: { ...toy.inputs, positiveMap: undefined } }],
    ['outputs.boxReg', { outputs: { ...toy.outputs, boxReg: 3 } }],
    ['anchors.sizes.0', { anchors: { strides: [8], sizes: [0] } }],
    ['boxWeights.3', { boxWeights: [10, 10, 5, 0] }],
    ['postprocess.preNms', { postprocess: { ...toy.postprocess, preNms: 0 } }],
    ['postprocess.nmsIou', { postprocess: { ...toy.postprocess, nmsIou: 1.1 } }],
    ['postprocess.maxBoxes', { postprocess: { ...toy.postprocess, maxBoxes: -1 } }],
  ])('names %s', (field, sections) => {
    expect(problemsOf(sections)).toEqual([expect.stringContaining(`${field}: `)])
  })
})
