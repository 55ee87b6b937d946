import fs from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openGrounder } from '../../src/api/ground-picture.ts'
import { readGroundings } from '../../src/api/read-run.ts'
import { parseConfig } from '../../src/config.ts'
import type { Candidate } from '../../src/core/types.ts'
import { TOY } from '../teacher/toy.ts'
import { toyPicture } from '../helpers/toy-dataset.ts'

async function open(sections: Readonly<Record<string, unknown>> = {}) {
  const config = parseConfig({
    teacher: { model: TOY, provider: 'cpu', threads: 1 },
    image: { minSide: 16 },
    ...sections,
  })
  const grounder = await openGrounder(config)
  onTestFinished(() => grounder.close())
  return grounder
}

const CAPTION = 'a red square and a green dot'

/** As groundings.parquet has it. */
function inFloat32({ phrase, score, box }: Candidate): Candidate {
  const [x1, y1, x2, y2] = [box.x1, box.y1, box.x2, box.y2].map(Math.fround) as [
    number,
    number,
    number,
    number,
  ]
  return { phrase, score: Math.fround(score), box: { x1, y1, x2, y2 } }
}

describe('openGrounder', () => {
  it('grounds a picture of memory or of a file as a run does', async () => {
    const grounder = await open()
    const file = 'test/fixtures/runs/0.1.0/images/0.png'
    const image = await fs.readFile(file)

    const [found, ofFile] = await Promise.all([
      grounder.ground({ image, caption: CAPTION }),
      grounder.ground({ image: file, caption: CAPTION }),
    ])

    expect(grounder).toMatchObject({ teacher: 'toy', defaultScore: 0.5 })
    for await (const row of readGroundings('test/fixtures/runs/0.1.0/run')) {
      const { caption, width, height, sha256, phrases, candidates } = row
      expect(found).toMatchObject({ caption, width, height, sha256, phrases })
      expect(found.candidates.map(inFloat32)).toEqual(candidates)
      break // the first row is this picture with this caption
    }
    expect(ofFile).toEqual(found)
  })

  it('gives the reason where a run would reject the row', async () => {
    const grounder = await open()
    const image = await toyPicture(0)

    await expect(grounder.ground({ image, caption: '' })).rejects.toMatchObject({
      code: 'caption_empty',
    })
    await expect(
      grounder.ground({ image: Buffer.from('no image'), caption: CAPTION }),
    ).rejects.toMatchObject({ code: 'not_image' })
    await expect(grounder.ground({ image: 'nowhere.png', caption: CAPTION })).rejects.toMatchObject(
      { code: 'file_missing' },
    )
  })

  it('stops when it is asked to', async () => {
    const grounder = await open()
    const signal = AbortSignal.abort(new Error('no longer wanted'))

    await expect(
      grounder.ground({ image: await toyPicture(0), caption: CAPTION }, signal),
    ).rejects.toThrow('no longer wanted')
  })

  it('names a model that is not there', async () => {
    await expect(openGrounder(parseConfig({ teacher: { model: 'nowhere' } }))).rejects.toThrow(
      /nowhere/,
    )
  })
})
