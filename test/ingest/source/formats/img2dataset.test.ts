// What img2dataset's own code writes, in its three formats. test/requirements-img2dataset.txt has the
// package without what it depends on, which is enough for its writers; where the whole of it can be
// imported, it downloads from a server, too.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startHostileServer, respond } from '../../../helpers/hostile-server.ts'
import { makeJpeg } from '../../../helpers/images.ts'
import { findPython, runPython } from '../../../helpers/python.ts'
import { codesOf, open, readSource, rowsOf, type Item } from '../../../helpers/sources.ts'
import { makeTar, sampleEntries } from '../../../helpers/tar.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const SCRIPT = 'test/ingest/source/write_img2dataset.py'
const withWriters = findPython('img2dataset', 'webdataset', 'pyarrow')
const withAll = findPython('img2dataset', 'albumentations', 'cv2', 'wandb', 'fire', 'exifread')

interface Written {
  readonly key: string
  readonly url: string
  readonly caption: string | null
  readonly tags: readonly number[]
  readonly status: string
  readonly error_message: string | null
}

describe.skipIf(withWriters === undefined)("the files of img2dataset's writers", () => {
  let folder = ''
  let written: readonly Written[] = []

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-img2dataset-'))
    written = JSON.parse(await runPython(withWriters!, SCRIPT, 'writers', folder)) as Written[]
  })
  afterAll(() => fs.rm(folder, { recursive: true, force: true }))

  const succeeded = (row: Written) => row.status === 'success'
  const bytesOf = (row: Written) => Buffer.from(`jpeg ${row.key}`)
  const failureOf = ({ status, error_message: message }: Written) => ({
    code: 'source_failed',
    detail: `${status}: ${message}`,
  })
  const numbered = (rows: readonly object[]) => rows.map((item, row) => ({ row, ...item }))

  it('as a WebDataset give the pairs of each tar, then what failed', async () => {
    const items = await readSource({
      preset: 'img2dataset',
      files: `${folder}/webdataset/*.tar`,
      columns: { keep: ['url', 'tags'] },
    })

    const expected = ['00000', '00001'].flatMap((shard) => {
      const mine = written.filter(({ key }) => key.startsWith(shard))
      const pairs = mine.filter(succeeded).map((row) => ({
        image: { kind: 'bytes', name: `${row.key}.jpg`, bytes: bytesOf(row) },
        // What has no caption is an empty file there.
        caption: row.caption ?? '',
        extra: { url: row.url, tags: row.tags },
      }))
      const failed = mine.filter((row) => !succeeded(row))
      return [...pairs, ...failed.map((row) => ({ ...failureOf(row), url: row.url }))]
    })
    expect(items).toEqual(numbered(expected))
    expect(items).toHaveLength(16)
  })
  it('as Parquet give every row in its place', async () => {
    const items = await readSource({
      preset: 'img2dataset-parquet',
      files: `${folder}/parquet/*.parquet`,
      columns: { keep: ['url', 'tags'] },
    })

    const expected = written.map((row) => {
      if (!succeeded(row)) return failureOf(row)
      if (row.caption === null) {
        return { code: 'caption_missing', detail: 'nothing in column caption' }
      }
      return {
        image: { kind: 'bytes', name: 'jpg', bytes: new Uint8Array(bytesOf(row)) },
        caption: row.caption,
        extra: { url: row.url, tags: row.tags },
      }
    })
    expect(items).toEqual(numbered(expected))
  })
  it('miss the pairs of a tar that was cut at a boundary and closed again', async () => {
    const cut = makeTar([...sampleEntries('000000003'), ...sampleEntries('000000000')])
    const other = await temporaryFolder()
    await fs.writeFile(path.join(other, '00000.tar'), cut)
    await fs.copyFile(`${folder}/webdataset/00000.parquet`, path.join(other, '00000.parquet'))

    const items = await readSource({ preset: 'img2dataset', files: `${other}/*.tar` })

    expect(codesOf(items)).toEqual([
      ...Array<string>(2).fill('ok'),
      ...Array<string>(3).fill('source_failed'),
      ...Array<string>(3).fill('source_damaged'),
    ])
    expect(items[5]).toMatchObject({
      detail: expect.stringMatching(/holds no 000000002, which .*00000\.parquet calls a success$/),
      url: 'https://example.org/0/2.jpg?a=1,2',
    })
  })
  it('say that failures are not known where the Parquet file is missing', async () => {
    const other = await temporaryFolder()
    await fs.copyFile(`${folder}/webdataset/00000.tar`, path.join(other, '00000.tar'))

    const items = await readSource({ preset: 'img2dataset', files: `${other}/*.tar` })

    expect(codesOf(items)).toEqual([...Array<string>(5).fill('ok'), 'source_damaged'])
  })
  it('belong to another run once a Parquet file has changed', async () => {
    const other = await temporaryFolder()
    await fs.cp(`${folder}/webdataset`, other, { recursive: true })
    const config = { preset: 'img2dataset', files: `${other}/00000.tar` } as const
    const before = await open(config)
    await fs.appendFile(`${other}/00000.parquet`, 'x')
    const after = await open(config)

    expect(after.identity).not.toEqual(before.identity)
    await Promise.all([before.close(), after.close()])
  })
  it('as plain files give the successes', async () => {
    const items = await readSource({ type: 'folder', files: `${folder}/files` })

    const byKey = written.filter(succeeded).sort((a, b) => (a.key < b.key ? -1 : 1))
    expect(items).toEqual(
      numbered(
        byKey.map(({ key, caption }) => ({
          image: { kind: 'file', path: `${folder}/files/${key.slice(0, 5)}/${key}.jpg` },
          caption: caption ?? '',
        })),
      ),
    )
  })
})

describe.skipIf(withAll === undefined)('what img2dataset has downloaded', () => {
  it('is read in all of its formats', { timeout: 300_000 }, async () => {
    const server = await startHostileServer({
      '/good.jpg': respond(200, {}, await makeJpeg({ width: 80, height: 60 })),
      '/text.jpg': respond(200, {}, 'no image'),
      '/empty.jpg': respond(200, {}, ''),
    })
    onTestFinished(() => server.close())
    const names = ['good', 'gone', 'text', 'good', 'empty', 'good', 'good']
    const pairs = names.map((name, index) => ({
      url: server.url(`/${name}.jpg?${index}`),
      caption: `${name} ${index}`,
    }))
    const folder = await temporaryFolder()
    await runPython(withAll!, SCRIPT, 'download', folder, JSON.stringify(pairs))

    const tars = await readSource({
      preset: 'img2dataset',
      files: `${folder}/webdataset/*.tar`,
      columns: { keep: ['url'] },
    })
    const tables = await readSource({
      preset: 'img2dataset-parquet',
      files: `${folder}/parquet/*.parquet`,
    })
    const files = await readSource({ type: 'folder', files: `${folder}/files` })

    const good = pairs.filter(({ caption }) => caption.startsWith('good'))
    const pairsOf = (items: readonly Item[]) => rowsOf(items.filter((item) => !('code' in item)))
    const captions = (items: readonly Item[]) => pairsOf(items).map(({ caption }) => caption)
    for (const items of [tars, tables, files]) {
      expect(captions(items).sort()).toEqual(good.map(({ caption }) => caption))
    }
    for (const items of [tars, tables]) {
      expect(codesOf(items).filter((code) => code === 'source_failed')).toHaveLength(3)
      expect(items).toContainEqual(
        expect.objectContaining({ detail: 'failed_to_download: HTTP Error 404: Status' }),
      )
    }
    expect(files).toHaveLength(good.length)
    expect(pairsOf(tars).map(({ extra }) => extra?.['url'])).toEqual(
      expect.arrayContaining(good.map(({ url }) => url)),
    )
    // Two shards of five rows, each with its own statistics, say the same.
    const stats = await Promise.all(
      ['00000', '00001'].map(async (shard) => {
        const text = await fs.readFile(`${folder}/webdataset/${shard}_stats.json`, 'utf8')
        return JSON.parse(text) as { count: number; successes: number }
      }),
    )
    expect(stats.reduce((sum, { count }) => sum + count, 0)).toBe(tars.length)
    expect(stats.reduce((sum, { successes }) => sum + successes, 0)).toBe(good.length)
  })
})
