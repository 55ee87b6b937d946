import { describe, expect, it } from 'vitest'
import { InputError, ShardError } from '../../../../src/core/errors.ts'
import { isThere } from '../../../../src/ingest/source/files/files.ts'
import { memoryFiles } from '../../../helpers/sources.ts'

const file = memoryFiles({ 'a.tsv': Buffer.from('a') }).file('a.tsv')
const failing = (error: Error) => ({ ...file, describe: () => Promise.reject(error) })

describe('isThere', () => {
  it('is known from what says so alone', async () => {
    expect(await isThere(file)).toBe(true)
    expect(await isThere(failing(new InputError('no such file')))).toBe(false)
  })

  it('is not known from a store that cannot be asked just now', async () => {
    await expect(isThere(failing(new ShardError('no answer')))).rejects.toThrow('no answer')
  })
})
