import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SourceFiles } from '../../../../src/ingest/source/files/files.ts'
import {
  expandBraces,
  identify,
  listFiles,
} from '../../../../src/ingest/source/files/list-files.ts'
import { failure, memoryFiles } from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

/** A store whose objects are these, whatever the prefix. */
function storeOf(objects: readonly string[] = []) {
  const asked: [string, boolean][] = []
  const store: SourceFiles = {
    ...memoryFiles({}),
    listObjects: async function* (prefix, isDeep) {
      asked.push([prefix, isDeep])
      yield* objects
    },
  }
  return { store, asked }
}
const list = (entries: readonly string[], objects?: readonly string[]) =>
  listFiles(entries, ['.tsv', '.tsv.gz'], storeOf(objects).store)

async function folderOf(names: readonly string[]): Promise<string> {
  const folder = await temporaryFolder()
  for (const name of names) {
    await fs.mkdir(path.join(folder, path.dirname(name)), { recursive: true })
    await fs.writeFile(path.join(folder, name), '')
  }
  return folder
}
const below = (folder: string, files: readonly string[]) =>
  files.map((file) => path.relative(folder, file))

describe('listFiles', () => {
  const names = ['b.tsv', 'a.TSV', 'a/1.tsv.gz', 'a/b/2.tsv', 'c.csv', '.hidden.tsv', '.x/3.tsv']

  it('takes the files of a folder that end as they should, sorted by code units', async () => {
    const folder = await folderOf(names)

    expect(below(folder, await list([folder]))).toEqual([
      'a.TSV',
      'a/1.tsv.gz',
      'a/b/2.tsv',
      'b.tsv',
    ])
  })

  it.each([
    ['*.tsv', ['b.tsv']],
    ['?.*', ['a.TSV', 'b.tsv', 'c.csv']],
    ['*/*', ['a/1.tsv.gz']],
    ['**/*.tsv', ['a/b/2.tsv', 'b.tsv']],
    ['{b,a}*', ['b.tsv', 'a.TSV']],
    ['a/**/?.tsv', ['a/b/2.tsv']],
  ])('matches %s', async (pattern, expected) => {
    const folder = await folderOf(names)

    expect(below(folder, await list([path.join(folder, pattern)]))).toEqual(expected)
  })

  it('keeps the order of the entries, and takes none twice', async () => {
    const folder = await folderOf(['a.tsv', 'b.tsv'])
    const [a, b] = ['a.tsv', 'b.tsv'].map((name) => path.join(folder, name)) as [string, string]

    expect(await list([b, a])).toEqual([b, a])
    expect(await failure(list([a, `${folder}/./a.tsv`]))).toMatch(/a\.tsv is named twice$/)
    expect(await failure(list([a, folder]))).toMatch(/named twice$/)
  })

  it.each([
    [[], "source.files is empty: give the data set's files"],
    [['/nowhere/*.tsv'], 'source.files: /nowhere'],
    [['/nowhere'], 'source.files: /nowhere: ENOENT'],
    [['gs://bucket/x.tsv'], 'source.files: gs://bucket/x.tsv: gs:// is not available'],
    [['https://a.example/*.tsv'], 'source.files: https://a.example/*.tsv: a web server cannot be'],
    [['https://'], 'source.files: https:// is no address'],
    [['x{9..1}.tsv'], 'source.files: x{9..1}.tsv counts from 9 to 1'],
    [['s3://bucket/none/'], 'source.files: no .tsv, .tsv.gz file in the folder s3://bucket/none/'],
    [['s3://bucket/*.x'], 'source.files: nothing matches s3://bucket/*.x'],
  ])('says what is wrong with %j', async (entries, message) => {
    expect((await failure(list(entries))).replace('ConfigError: ', '').startsWith(message)).toBe(
      true,
    )
  })

  it('takes addresses as they are', async () => {
    expect(await list(['https://a.example/{00..02}.tsv?x=*', 's3://bucket/a b'])).toEqual([
      'https://a.example/00.tsv?x=*',
      'https://a.example/01.tsv?x=*',
      'https://a.example/02.tsv?x=*',
      's3://bucket/a b',
    ])
  })

  it('matches objects, asking for what stands before the pattern', async () => {
    const objects = ['b.tsv', 'a.tsv', '.h/c.tsv', 'x/d.tsv', 'e.csv'].map(
      (key) => `s3://bucket/p/${key}`,
    )
    const { store, asked } = storeOf(objects)
    const matches = (entry: string) => listFiles([entry], ['.tsv'], store)

    expect(await matches('s3://bucket/p/')).toEqual([objects[1], objects[0], objects[3]])
    expect(await matches('s3://bucket/p/*.tsv')).toEqual([objects[1], objects[0]])
    expect(await matches('s3://bucket/p/**/*.tsv')).toEqual([objects[1], objects[0], objects[3]])
    expect(asked).toEqual([
      ['s3://bucket/p/', true],
      ['s3://bucket/p/', false],
      ['s3://bucket/p/', true],
    ])
  })
})

describe('expandBraces', () => {
  it.each([
    ['a', ['a']],
    ['{a,b}{1..3}', ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']],
    ['{08..11}', ['08', '09', '10', '11']],
    ['x{,y}', ['x', 'xy']],
  ])('%s', (pattern, expected) => {
    expect(expandBraces(pattern)).toEqual(expected)
  })
})

describe('identify', () => {
  const sha256 = (...parts: readonly Uint8Array[]) =>
    createHash('sha256').update(Buffer.concat(parts)).digest('hex')
  const MIB = 2 ** 20

  it('hashes the first and the last MiB, and a small file whole', async () => {
    const large = Buffer.alloc(3 * MIB, 'abcdefg')
    const files = memoryFiles({ small: 'abc', large, edge: large.subarray(0, MIB + 1) })

    expect(await identify(['small', 'large', 'edge'], files)).toEqual({
      hashedBytes: 2 * MIB,
      files: [
        { path: 'small', size: 3, sha256: sha256(Buffer.from('abc')) },
        {
          path: 'large',
          size: 3 * MIB,
          sha256: sha256(large.subarray(0, MIB), large.subarray(2 * MIB)),
        },
        { path: 'edge', size: MIB + 1, sha256: sha256(large.subarray(0, MIB + 1)) },
      ],
    })
  })

  it('reads less of each where there are many, and of remote ones', async () => {
    const paths = Array.from({ length: 512 }, (_, n) => `f${n}`)
    const remote = paths.map((name) => `https://a.example/${name}`)
    const files = memoryFiles(Object.fromEntries([...paths, ...remote].map((name) => [name, ''])))

    // 512 MiB over 512 files, both ends; 64 MiB over the network.
    expect(await identify(paths, files)).toMatchObject({ hashedBytes: MIB })
    expect(await identify(remote, files)).toMatchObject({ hashedBytes: MIB / 8 })
  })
})
