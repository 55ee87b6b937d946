import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/core/errors.ts'
import { checkNames } from '../../src/teacher/check-names.ts'

const tensors = (...names: string[]) =>
  names.map((name) => ({ name, type: 'float32', shape: ['batch'] }))
const GRAPH = { inputs: tensors('pixels', 'ids'), outputs: tensors('scores') }
const NAMES = { inputs: { text: 'ids', image: 'pixels' }, outputs: { score: 'scores' } }

describe('checkNames', () => {
  it('takes the names in any order', () => {
    expect(() => checkNames(GRAPH, NAMES, 'model.onnx')).not.toThrow()
  })

  it.each([
    ['other', { image: 'images', text: 'ids' }, 'images, ids'],
    ['fewer', { image: 'pixels' }, 'pixels'],
    ['more', { image: 'pixels', text: 'ids', mask: 'mask' }, 'pixels, ids, mask'],
    ['repeated', { image: 'pixels', text: 'pixels' }, 'pixels, pixels'],
  ])('refuses %s names', (_, inputs, said) => {
    expect(() => checkNames(GRAPH, { ...NAMES, inputs }, 'model.onnx')).toThrow(
      new InputError(`model.onnx has the inputs pixels, ids; teacher.json says ${said}`),
    )
  })

  it('looks at the outputs as well', () => {
    const outputs = { score: 'logits' }

    expect(() => checkNames(GRAPH, { ...NAMES, outputs }, 'a.onnx')).toThrow(
      new InputError('a.onnx has the outputs scores; teacher.json says logits'),
    )
  })
})
