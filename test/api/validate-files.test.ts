import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readTokenizer, validateFiles } from '../../src/api/validate-files.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const VOCAB = 'teachers/glip-nano/vocab.txt'

describe('validateFiles', () => {
  it('says what the loader would do with a file', async () => {
    const target = path.join(await temporaryFolder(), 'broken.jsonl')
    await fs.writeFile(target, '{"filename": "1.jpg", "height": 10\n')

    const report = await validateFiles({ target, format: 'odvg', dialect: 'mmdet' })

    expect(report).toMatchObject({ format: 'odvg', dialect: 'mmdet', isUsable: false })
    expect(report.findings[0]).toMatchObject({ level: 'error', effect: 'crash' })
  })

  it('names a file that is not there', async () => {
    await expect(validateFiles({ target: 'nowhere.json', format: 'coco' })).rejects.toThrow(
      /^nowhere\.json/,
    )
  })
})

describe('readTokenizer', () => {
  it('counts the pieces of a vocabulary, or a word each without one', async () => {
    const [exact, atLeast] = [await readTokenizer(VOCAB), await readTokenizer()]
    const caption = 'two unfathomable kites'

    expect(atLeast(caption)).toEqual([0, 4, 17])
    expect(exact(caption).length).toBeGreaterThan(3)
  })

  it('names what is no vocabulary', async () => {
    await expect(readTokenizer('nowhere.txt')).rejects.toThrow(/--vocab nowhere\.txt/)
  })
})
