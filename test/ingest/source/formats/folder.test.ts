import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  createFolderFormat,
  findMetadataFile,
  identifyFolder,
} from '../../../../src/ingest/source/formats/folder.ts'
import { localFile } from '../../../../src/ingest/source/files/local-files.ts'
import { sourceOptionsSchema } from '../../../../src/ingest/source/options.ts'
import { collectAll, failure } from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const { signal } = new AbortController()
const format = createFolderFormat(sourceOptionsSchema.parse({ maxRowBytes: 1024 }))

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [name, content] of Object.entries(files)) {
    await fs.mkdir(path.join(folder, path.dirname(name)), { recursive: true })
    await fs.writeFile(path.join(folder, name), content)
  }
  return folder
}

const FILES = {
  'b.jpg': '',
  'b.txt': 'a dog\r\n',
  'a/x.PNG': '',
  'a/x.txt': 'a cat\n\n',
  'a/y.txt': 'alone',
  'a/z.webp': '',
  'c.gif': '',
  'c.txt': 'x'.repeat(1025),
  'notes.md': '',
  '.hidden.jpg': '',
}
const ROWS = [
  { fields: { path: 'a/x.PNG', caption: Buffer.from('a cat\n') } },
  { code: 'image_missing', detail: 'a/y.txt has no image beside it' },
  { code: 'caption_missing', detail: 'a/z.webp has no .txt beside it' },
  { fields: { path: 'b.jpg', caption: Buffer.from('a dog') } },
  { code: 'row_too_long', detail: 'c.txt is longer than source.maxRowBytes' },
]

describe('createFolderFormat', () => {
  it('gives images with their captions, in order of their paths', async () => {
    const folder = await folderOf(FILES)

    expect(await collectAll(format.read(localFile(folder, signal), undefined))).toEqual(ROWS)
    expect(await format.columns(localFile(folder, signal))).toEqual(['path', 'caption'])
  })

  it('begins at any row by its path', async () => {
    const folder = await folderOf(FILES)
    const marks = await collectAll(format.marks(localFile(folder, signal), { first: 0, stride: 1 }))

    expect(marks.at(-1)).toEqual({ rows: ROWS.length })
    for (const mark of marks) {
      if ('rows' in mark) continue
      expect(await collectAll(format.read(localFile(folder, signal), mark.position))).toEqual(
        ROWS.slice(mark.row),
      )
    }
    expect(await failure(collectAll(format.read(localFile(folder, signal), 3)))).toMatch(
      /3 is no position/,
    )
  })

  it('leaves a folder that is gone to a later try', async () => {
    expect(
      await failure(collectAll(format.read(localFile('/nowhere', signal), undefined))),
    ).toMatch(/^ShardError: cannot list \/nowhere: ENOENT/)
  })
})

describe('identifyFolder', () => {
  it('follows from the names alone', async () => {
    const [one, same, other] = await Promise.all([
      folderOf({ 'a.jpg': '1', 'a.txt': 'x' }),
      folderOf({ 'a.jpg': '2', 'a.txt': 'y' }),
      folderOf({ 'b.jpg': '1', 'b.txt': 'x' }),
    ])
    const digest = async (folder: string) =>
      ((await identifyFolder(localFile(folder, signal))) as { sha256OfNames: string }).sha256OfNames // as it says

    expect(await identifyFolder(localFile(one, signal))).toMatchObject({ path: one, rows: 1 })
    expect(await digest(same)).toBe(await digest(one))
    expect(await digest(other)).not.toBe(await digest(one))
  })
})

describe('findMetadataFile', () => {
  it('prefers JSON Lines, and is undefined without one', async () => {
    const folder = await folderOf({ 'metadata.parquet': '', 'metadata.jsonl': '' })

    expect(await findMetadataFile(folder)).toBe(path.join(folder, 'metadata.jsonl'))
    expect(await findMetadataFile(await temporaryFolder())).toBeUndefined()
    expect(await failure(findMetadataFile('/nowhere'))).toMatch(/^InputError: \/nowhere: ENOENT/)
  })
})
