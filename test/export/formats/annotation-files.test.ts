import { describe, expect, it } from 'vitest'
import {
  annotationFiles,
  type AnnotationFile,
} from '../../../src/export/formats/annotation-files.ts'
import { toExportSample } from '../../../src/export/sample.ts'
import { makeRow } from '../../helpers/runs.ts'

const sampleOf = (caption: string) =>
  toExportSample(
    { row: makeRow({ caption }), regions: [] },
    { fileName: 'a.jpg', categoryOf: (phrase) => phrase },
  )!
const readImage = () => Promise.reject(new Error('not asked for'))

/** Writes a sample to shards 3, 3 and 12. */
async function written(layout: 'merged' | 'sharded'): Promise<string[]> {
  const log: string[] = []
  const open = (name: string): Promise<AnnotationFile> => {
    log.push(`open ${name}`)
    return Promise.resolve({
      write: async ({ caption }) => void log.push(caption),
      close: async () => void log.push(`close ${name}`),
    })
  }
  const writer = annotationFiles(layout, { ending: '.txt', open })
  await writer.beginShard(3)
  await writer.write(sampleOf('a'), readImage)
  await writer.write(sampleOf('b'), readImage)
  await writer.beginShard(12)
  await writer.write(sampleOf('c'), readImage)
  await writer.close()
  return log
}

describe('annotationFiles', () => {
  it('writes one file for all shards', async () => {
    expect(await written('merged')).toEqual([
      'open annotations.txt',
      'a',
      'b',
      'c',
      'close annotations.txt',
    ])
  })

  it('writes one file per shard, of which one is open', async () => {
    expect(await written('sharded')).toEqual([
      'open annotations/00003.txt',
      'a',
      'b',
      'close annotations/00003.txt',
      'open annotations/00012.txt',
      'c',
      'close annotations/00012.txt',
    ])
  })

  it('opens none where there is no sample', async () => {
    const writer = annotationFiles('merged', {
      ending: '.txt',
      open: () => Promise.reject(new Error('opened')),
    })

    await expect(writer.close()).resolves.toBeUndefined()
  })
})
