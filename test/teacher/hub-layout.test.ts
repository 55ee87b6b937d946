import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { recogniseHubLayout } from '../../src/teacher/hub-layout.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { hubFolder, TOY } from './toy.ts'

describe('recogniseHubLayout', () => {
  it('tells the type of the model and what shows the layout', async () => {
    const path = await hubFolder({ model_type: 'owlv2', architectures: [] })

    expect(await recogniseHubLayout(path)).toEqual({
      modelType: 'owlv2',
      signs: ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'onnx'],
    })
  })

  it('takes one sign beside config.json, and not config.json alone', async () => {
    const path = await temporaryFolder()
    await writeFile(join(path, 'config.json'), '{"model_type":"bert"}')
    expect(await recogniseHubLayout(path)).toBeUndefined()

    await writeFile(join(path, 'tokenizer_config.json'), '')
    expect(await recogniseHubLayout(path)).toEqual({
      modelType: 'bert',
      signs: ['config.json', 'tokenizer_config.json'],
    })
  })

  it('wants config.json', async () => {
    const path = await hubFolder({})
    await rm(join(path, 'config.json'))

    expect(await recogniseHubLayout(path)).toBeUndefined()
  })

  it.each([
    '{',
    '[]',
    '{"model_type":""}',
    '{"model_type":7}',
    `{"model_type":"${'x'.repeat(101)}"}`,
  ])('recognises the layout without a type in config.json: %s', async (config) => {
    const path = await hubFolder({})
    await writeFile(join(path, 'config.json'), config)

    const layout = await recogniseHubLayout(path)

    expect(layout?.signs).toHaveLength(4)
    expect(layout).not.toHaveProperty('modelType')
  })

  it.each([TOY, join(TOY, 'vocab.txt'), join(TOY, 'nowhere')])(
    'is not what %s has',
    async (path) => {
      expect(await recogniseHubLayout(path)).toBeUndefined()
    },
  )
})
