import { describe, expect, it } from 'vitest'
import {
  architectureNames,
  architectureOf,
  descriptionSchema,
} from '../../src/teacher/architectures.ts'
import { readDescription } from '../../src/teacher/model-folder.ts'
import { TOY } from './toy.ts'

describe('architectures', () => {
  it('have names of their own', () => {
    expect(new Set(architectureNames).size).toBe(architectureNames.length)
    for (const architecture of architectureNames) {
      expect(architectureOf({ architecture }).name).toBe(architecture)
    }
  })

  it('each read descriptions of their own alone', async () => {
    const { description } = await readDescription(TOY)

    expect(descriptionSchema.safeParse(description).success).toBe(true)
    expect(descriptionSchema.safeParse({ ...description, architecture: 'dummy' }).success).toBe(
      false,
    )
  })

  it('are named to whoever asks for another', async () => {
    const { description } = await readDescription(TOY)

    const { error } = descriptionSchema.safeParse({ ...description, architecture: 'owlv2' })

    expect(error?.issues).toMatchObject([
      { path: ['architecture'], message: expect.stringMatching(/^must be "glip" or /) },
    ])
  })
})
