import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SourceFiles } from '../../../src/ingest/source/files/files.ts'
import { guessType } from '../../../src/ingest/source/source-type.ts'
import { failure, memoryFiles } from '../../helpers/sources.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

function storeOf(objects: readonly string[]): SourceFiles & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    ...memoryFiles({}),
    asked,
    listObjects: async function* (prefix) {
      asked.push(prefix)
      yield* objects
    },
  }
}
const guess = (file: string, objects: readonly string[] = []) => guessType([file], storeOf(objects))

describe('guessType', () => {
  it.each([
    ['a.parquet', 'parquet'],
    ['A.PARQUET', 'parquet'],
    ['a.feather', 'arrow'],
    ['a.tsv.gz', 'tsv'],
    ['a.csv', 'csv'],
    ['a.ndjson.gz', 'jsonl'],
    ['a.json', 'json'],
    ['results.token', 'flickr30k'],
    ['{000..999}.tar', 'webdataset'],
    ['a.tgz', 'webdataset'],
    ['https://a.example/x.csv?download=1#top', 'csv'],
    ['s3://bucket/x.parquet', 'parquet'],
  ])('%s is %s', async (file, type) => {
    expect(await guess(file)).toBe(type)
  })

  it('looks into a folder', async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, '1.jpg'), '')
    await fs.writeFile(path.join(folder, '1.txt'), '')
    expect(await guess(folder)).toBe('folder')

    await fs.writeFile(path.join(folder, 'a.tar'), '')
    expect(await guess(folder)).toBe('webdataset')

    await fs.writeFile(path.join(folder, 'b.csv'), '')
    expect(await failure(guess(folder))).toMatch(
      /^ConfigError: source\.type: cannot tell the type of ".*" by its ending; .* has files of webdataset and csv; give one of parquet, arrow/,
    )

    await fs.writeFile(path.join(folder, 'metadata.jsonl'), '')
    expect(await guess(folder)).toBe('folder')
  })

  it('looks below an address that ends with a slash, at a thousand objects', async () => {
    const many = Array.from(
      { length: 1500 },
      (_, n) => `s3://bucket/x/${n}${n < 1000 ? '.tar' : '.csv'}`,
    )

    expect(await guess('s3://bucket/x/', many)).toBe('webdataset')
    expect(await failure(guess('s3://bucket/x/', []))).toMatch(/cannot tell the type/)
  })

  it('asks no store about one object or a web server', async () => {
    for (const file of ['s3://bucket/x', 'https://a.example/x/']) {
      const store = storeOf(['s3://bucket/x.tar'])

      expect(await failure(guessType([file], store))).toMatch(/cannot tell the type/)
      expect(store.asked).toEqual([])
    }
  })
})
