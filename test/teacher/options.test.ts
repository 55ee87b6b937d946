import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'

describe('teacher options', () => {
  it.each([
    // ONNX Runtime itself would ignore the name and run on the CPU.
    ['teacher.provider=gpu', /teacher\.provider: .*"auto".*"cpu".*"cuda"/],
    ['teacher.batchSize=0', /teacher\.batchSize: /],
    ['teacher.candidateScore=1.5', /teacher\.candidateScore: /],
    ['prompt.template=photo', /prompt\.template: must hold "\{\}" exactly once/],
    [
      'prompt.phrasesPerForward=4',
      /prompt\.phrasesPerForward: only has a meaning with mode: joined/,
    ],
    ['prompt.maxTokens=4', /prompt\.maxTokens: /],
    ['teacher.provder=cpu', /teacher\.provder: unknown key; did you mean "provider"\?/],
  ])('refuses %s', async (setting, message) => {
    const loading = loadConfig(undefined, [setting])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})
