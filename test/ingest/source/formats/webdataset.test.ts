import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceOptionsSchema } from '../../../../src/ingest/source/options.ts'
import type { OpenFile } from '../../../../src/ingest/source/files/files.ts'
import type { Mark, RawRow } from '../../../../src/ingest/source/formats/format.ts'
import { localFile } from '../../../../src/ingest/source/files/local-files.ts'
import { createWebDatasetFormat } from '../../../../src/ingest/source/formats/webdataset.ts'
import { findPython, runPython } from '../../../helpers/python.ts'
import {
  codesOf,
  failure,
  open,
  readSource,
  rowsOf,
  type Item,
  type SourceConfig,
} from '../../../helpers/sources.ts'
import { makeTar, paxEntry, sampleEntries, tarEntry, type TarEntry } from '../../../helpers/tar.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const python = findPython('webdataset')

interface Written {
  readonly key: string
  readonly caption: string
  readonly url: string
  readonly score: number
}

describe.skipIf(python === undefined)('tars written by Python', () => {
  let folder = ''
  let written: readonly Written[] = []

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-tar-'))
    const printed = await runPython(python!, 'test/ingest/source/write_tar.py', folder)
    written = JSON.parse(printed) as readonly Written[]
  })
  afterAll(() => fs.rm(folder, { recursive: true, force: true }))

  it("reads webdataset's shards: images, captions, keys of the json", async () => {
    const items = await readSource({
      files: `${folder}/web-{000000..000002}.tar`,
      columns: { keep: ['url', 'score'] },
    })

    expect(items).toEqual(
      written.map(({ key, caption, url, score }, row) => ({
        row,
        image: {
          kind: 'bytes',
          name: `${key}.jpg`,
          bytes: Buffer.alloc(4 * (row + 1), new Uint8Array([255, 216, 255, row])),
        },
        caption,
        extra: { url, score },
      })),
    )
  })

  it.each(['ustar', 'gnu', 'pax'])('reads long names as %s writes them', async (name) => {
    const items = rowsOf(await readSource({ files: `${folder}/${name}.tar` }))

    const keys = ['plain', './dot/slash', `${'deep/'.repeat(20)}${'x'.repeat(60)}`, 'ünïcode-🐕']
    expect(items.map(({ caption }) => caption)).toEqual(keys.slice(0, name === 'ustar' ? 3 : 4))
    expect(
      items.map(({ image }) => 'bytes' in image && Buffer.from(image.bytes).toString()),
    ).toEqual(items.map(({ caption }) => `jpeg ${caption}`))
  })
})

async function fileOf(content: Uint8Array, name = 'a.tar'): Promise<string> {
  const file = path.join(await temporaryFolder(), name)
  await fs.writeFile(file, content)
  return file
}

async function read(
  content: Uint8Array,
  config: Omit<SourceConfig, 'files'> = {},
): Promise<Item[]> {
  const columns = { caption: 'txt', ...config.columns }
  return readSource({ ...config, files: await fileOf(content), columns })
}

/** The rows of a tar that holds the entries between good samples: two before, one after. */
async function around(...entries: readonly TarEntry[]): Promise<Item[]> {
  const before = [...sampleEntries('a'), ...sampleEntries('b')]
  return read(makeTar([...before, ...entries, ...sampleEntries('z')]))
}

describe('hostile members', () => {
  const names = [
    ['../../x.jpg', '".." in its path'],
    ['a/../../x.jpg', '".." in its path'],
    ['/etc/x.jpg', 'absolute path'],
    ['C:/x.jpg', 'absolute path'],
    ['a\\..\\b.jpg', 'back-slash in its name'],
    ['a\nb.jpg', 'control character in its name'],
    ['', 'no name'],
  ] as const

  it.each(names)('refuses the name %j', async (name, reason) => {
    const items = await around({ name, body: 'x' })

    expect(codesOf(items)).toEqual(['ok', 'ok', 'member_unsafe', 'ok'])
    expect(items[2]).toMatchObject({
      detail: expect.stringMatching(new RegExp(`a\\.tar: member .* at byte 4096: ${reason}$`)),
    })
  })

  it('refuses names with NUL, bytes that are no UTF-8, and names over 255 bytes', async () => {
    const long = 'x'.repeat(300) + '.jpg'
    const items = await around(
      paxEntry({ path: 'a\0b.jpg' }),
      { name: 'short.jpg', body: 'x' },
      { name: Buffer.from([0xc3, 0x28, 0x2e, 0x6a, 0x70, 0x67]), body: 'x' },
      paxEntry({ path: long }),
      { name: 'short.jpg', body: 'x' },
    )

    expect(codesOf(items)).toEqual(['ok', 'ok', ...Array<string>(3).fill('member_unsafe'), 'ok'])
    expect(items[4]).toMatchObject({ detail: expect.stringContaining('name of 304 bytes') })
  })

  const types = [
    ['1', 'hard link'],
    ['2', 'symbolic link'],
    ['3', 'device'],
    ['4', 'device'],
    ['6', 'pipe'],
    ['S', 'type "S"'],
  ] as const

  it.each(types)('refuses the type %s', async (type, reason) => {
    const items = await around({ name: 'x.jpg', type, link: '/etc/passwd' })

    expect(codesOf(items)).toEqual(['ok', 'ok', 'member_unsafe', 'ok'])
    expect(items[2]).toMatchObject({ detail: expect.stringContaining(reason) })
  })

  it('takes a Windows device name and a directory as what they are in a tar', async () => {
    const items = await around(
      { name: 'folder/', type: '5' },
      { name: 'CON.jpg', body: 'x' },
      { name: 'CON.txt', body: 'c' },
    )

    expect(codesOf(items)).toEqual(['ok', 'ok', 'ok', 'ok'])
  })

  it('stops at a size of 2^60, which no file holds', async () => {
    const size = Buffer.alloc(12)
    size[0] = 0x80
    size.writeBigUInt64BE(2n ** 60n, 4)

    const items = await around({ name: 'x.jpg', size })

    expect(codesOf(items)).toEqual(['ok', 'source_damaged'])
    expect(items[1]).toMatchObject({
      detail: expect.stringMatching(/sample "b": header at byte 4096 has no valid size/),
    })
  })

  it('stops where a member claims more bytes than follow', async () => {
    const items = await around({ name: 'x.jpg', size: 8 ** 10 })

    expect(codesOf(items)).toEqual(['ok', 'ok', 'source_damaged'])
    expect(items[2]).toMatchObject({
      detail: expect.stringMatching(
        /member "x.jpg" at byte 4096 claims 1073741824 bytes; the file/,
      ),
    })
  })

  it('stops where pax and header disagree about the size', async () => {
    const items = await around(paxEntry({ size: '5' }), { name: 'x.jpg', body: 'xxxxxxxxx' })

    expect(codesOf(items)).toEqual(['ok', 'source_damaged'])
    expect(items[1]).toMatchObject({ detail: expect.stringContaining('two sizes, 9 and 5') })
  })

  it('refuses what readers of pax headers understand differently', async () => {
    const good = { name: 'c.jpg', body: 'x' }
    const longName = { name: 'long', type: 'L', body: 'd.jpg\0' }
    const two = await around(paxEntry({ path: 'c.jpg' }), longName, good)
    const global = await around({ ...paxEntry({ path: 'c.jpg' }), type: 'g' }, good)
    const comment = await around({ ...paxEntry({ comment: 'by git' }), type: 'g' })
    const malformed = await around({ name: 'pax', type: 'x', body: '99 path=c.jpg\n' }, good)

    expect(codesOf(two)).toEqual(['ok', 'ok', 'member_unsafe', 'ok'])
    expect(two[2]).toMatchObject({ detail: expect.stringMatching(/at byte 4096: two names$/) })
    expect(codesOf(global)).toEqual(['ok', 'source_damaged'])
    expect(global[1]).toMatchObject({
      detail: expect.stringMatching(/global pax header at byte 4096 sets name for all members$/),
    })
    expect(codesOf(comment)).toEqual(['ok', 'ok', 'ok'])
    expect(codesOf(malformed)).toEqual(['ok', 'source_damaged'])
    expect(malformed[1]).toMatchObject({
      detail: expect.stringMatching(/malformed pax header at byte 4096$/),
    })
  })

  it('stops at an extended header of more than a MiB, without reading it', async () => {
    const items = await around(paxEntry({ comment: 'x'.repeat(2 ** 20) }), { name: 'c.jpg' })

    expect(codesOf(items)).toEqual(['ok', 'source_damaged'])
    expect(items[1]).toMatchObject({
      detail: expect.stringMatching(/header of 10485\d\d bytes at byte 4096$/),
    })
  })

  it('refuses a sparse file of the pax kind', async () => {
    const items = await around(paxEntry({ 'GNU.sparse.major': '1' }), { name: 'c.jpg', body: 'x' })

    expect(codesOf(items)).toEqual(['ok', 'ok', 'member_unsafe', 'ok'])
    expect(items[2]).toMatchObject({ detail: expect.stringMatching(/: sparse file$/) })
  })

  it('follows no link: a file whose path leads through one is a member by its name', async () => {
    const items = await around(
      { name: 'link', type: '2', link: '/etc' },
      { name: 'link/passwd.jpg', body: 'own bytes' },
      { name: 'link/passwd.txt', body: 'caption' },
    )

    expect(codesOf(items)).toEqual(['ok', 'ok', 'member_unsafe', 'ok', 'ok'])
    expect(items[3]).toMatchObject({ image: { bytes: Buffer.from('own bytes') } })
  })

  it('lists a million empty members in bounded memory', { tags: 'long' }, async () => {
    const before = process.memoryUsage().rss

    const marks = await marksOf(emptyMembers(1_000_000))

    expect(marks).toHaveLength(101)
    expect(marks.at(-1)).toEqual({ rows: 1_000_000 })
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 2 ** 20)
  })

  it('takes no more samples than it can number, and says where it stops', async () => {
    const marks = await marksOf(emptyMembers(25_000), 20_000)
    const exactly = await marksOf(emptyMembers(20_000), 20_000)

    // The row after the last one is the damage.
    expect(marks.map((mark) => ('rows' in mark ? mark : mark.row))).toEqual([
      0,
      10_000,
      20_000,
      { rows: 20_001 },
    ])
    expect(exactly.at(-1)).toEqual({ rows: 20_000 })
    expect(await lastRow(emptyMembers(25_000), 20_000)).toEqual({
      code: 'source_damaged',
      detail: 'a.tar: more than 20000 samples, from byte 10240000 on',
    })
  })
})

/** A tar of members 0000000.jpg, 0000001.jpg ... without bytes, made where it is read. */
function emptyMembers(count: number): OpenFile {
  const size = 512 * count + 1024
  const header = tarEntry({ name: '0000000.jpg' })
  const sum = parseInt(header.toString('latin1', 148, 154), 8)
  return {
    size,
    read: (start, length) => {
      const end = Math.min(start + length, size)
      const bytes = Buffer.alloc(end - start)
      // Reads are of whole blocks here.
      for (let at = start; at < end && at < 512 * count; at += 512) {
        const name = String(at / 512).padStart(7, '0')
        header.copy(bytes, at - start)
        bytes.write(name, at - start, 'latin1')
        let digits = 0
        for (let n = 0; n < 7; n++) digits += name.charCodeAt(n) - 48
        bytes.write((sum + digits).toString(8).padStart(6, '0'), at - start + 148, 'latin1')
      }
      return Promise.resolve(bytes)
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

function formatOf(maxSamples?: number) {
  const options = sourceOptionsSchema.parse({ files: 'a.tar' })
  const limits = maxSamples === undefined ? {} : { maxSamples }
  return createWebDatasetFormat(['image', 'txt'], { ...options, ...limits })
}

function sourceOf(file: OpenFile) {
  const open = () => Promise.resolve(file)
  const { signal } = new AbortController()
  return { ...localFile('a.tar', signal), open, openForward: open }
}

async function marksOf(file: OpenFile, maxSamples?: number) {
  const marks: Mark[] = []
  const grid = { first: 0, stride: 10_000 }
  for await (const mark of formatOf(maxSamples).marks(sourceOf(file), grid)) marks.push(mark)
  return marks
}

async function lastRow(file: OpenFile, maxSamples?: number): Promise<RawRow | undefined> {
  let last: RawRow | undefined
  for await (const row of formatOf(maxSamples).read(sourceOf(file), undefined)) last = row
  return last
}

describe('keys', () => {
  it('rejects a key that comes back later, wherever shards begin', async () => {
    const keys = ['a', 'b', 'a', 'c', 'b', 'a', 'd']
    const items = await read(makeTar(keys.flatMap((key) => sampleEntries(key))))

    const again = 'key_duplicate'
    expect(codesOf(items)).toEqual(['ok', 'ok', again, 'ok', again, again, 'ok'])
    expect(items[2]).toMatchObject({
      detail: expect.stringMatching(/a\.tar: key "a" at byte 4096 came before in this tar$/),
    })
  })

  it.each(['c.jpg', 'c.JPG'])(
    'rejects a sample with the same field twice, c.jpg and %s',
    async (name) => {
      const items = await around(
        { name: 'c.jpg', body: '1' },
        { name, body: '2' },
        { name: 'c.txt', body: 'c' },
      )

      expect(codesOf(items)).toEqual(['ok', 'ok', 'row_malformed', 'ok'])
      expect(items[2]).toMatchObject({
        detail: expect.stringContaining('two members with the ending'),
      })
    },
  )

  it('rejects a sample of more members than any data set has', async () => {
    const fields = Array.from({ length: 65 }, (_, n) => ({ name: `c.field${n}`, body: 'x' }))

    const items = await around(...fields)

    expect(codesOf(items)).toEqual(['ok', 'ok', 'row_malformed', 'ok'])
    expect(items[2]).toMatchObject({ detail: expect.stringContaining('more than 64 members') })
  })

  it('splits names at the first dot of the base name', async () => {
    const items = await read(
      makeTar([
        { name: 'v1.5/b.seg.jpg', body: 'segments' },
        { name: 'v1.5/b.jpg', body: 'picture' },
        { name: 'v1.5/b.txt', body: 'c' },
        { name: '.hidden.jpg', body: 'x' },
        { name: 'README', body: 'x' },
      ]),
    )

    expect(rowsOf(items)).toMatchObject([{ caption: 'c', image: { name: 'v1.5/b.jpg' } }])
  })

  it('rejects samples without image or caption, in their place', async () => {
    const items = await around(
      { name: 'B.txt', body: 'caption alone' },
      { name: 'c.jpg', body: 'image alone' },
      { name: 'd.jpg', body: 'x' },
      { name: 'd.txt', body: Buffer.from([0xff, 0xfe]) },
      { name: 'e.jpg', body: 'x' },
      { name: 'e.txt', body: 'y'.repeat(3000) },
    )

    expect(codesOf(items)).toEqual([
      'ok',
      'ok',
      'image_missing',
      'caption_missing',
      'encoding_invalid',
      'ok',
      'ok',
    ])
  })

  it('rejects members over the limits', async () => {
    const tar = makeTar([
      { name: 'b.jpg', body: 'x'.repeat(3000) },
      { name: 'b.txt', body: 'c' },
      { name: 'c.jpg', body: 'x' },
      { name: 'c.txt', body: 'y'.repeat(3000) },
      ...sampleEntries('d'),
    ])

    const items = await read(tar, { maxRowBytes: 2000, maxImageBytes: 2000 })

    expect(codesOf(items)).toEqual(['row_too_long', 'row_too_long', 'ok'])
    expect(items[0]).toMatchObject({ detail: expect.stringContaining('"b.jpg" has 3000 bytes') })
  })
})

describe('damaged tars', () => {
  const whole = makeTar(['a', 'b', 'c'].flatMap((key) => sampleEntries(key)))

  it('rejects the sample that is cut in the middle and keeps those before', async () => {
    for (const length of [2565, 2600, 3000, 3100, 3600]) {
      const items = await read(whole.subarray(0, length))

      expect(codesOf(items), `cut at ${length}`).toEqual(['ok', 'source_damaged'])
    }
    const items = await read(whole.subarray(0, 2565))
    expect(items[1]).toMatchObject({
      detail: expect.stringMatching(
        /a\.tar: .*"b\.jpg" at byte 2048 claims 9 bytes; the file ends after 5$/,
      ),
    })
  })

  it('notices a cut at the boundary of two samples', async () => {
    const items = await read(whole.subarray(0, 4096))

    expect(codesOf(items)).toEqual(['ok', 'source_damaged'])
    expect(items[1]).toMatchObject({
      detail: expect.stringMatching(/"b": cut at byte 4096, after member "b\.txt": the end mark/),
    })
  })

  it('stops at garbage in place of a header and names what came before', async () => {
    const bytes = Buffer.from(whole)
    bytes.fill(0xa5, 4096, 4608)

    const items = await read(bytes)

    expect(codesOf(items)).toEqual(['ok', 'source_damaged'])
    expect(items[1]).toMatchObject({
      detail: expect.stringMatching(/no tar header at byte 4096, after member "b\.txt"/),
    })
  })

  it('refuses what is no tar, and reads the files beside it', async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'a.tar'), 'no tar at all'.repeat(100))
    await fs.writeFile(path.join(folder, 'b.tar'), whole)
    const columns = { caption: 'txt' }

    const items = await readSource({ files: `${folder}/*.tar`, columns })

    expect(codesOf(items)).toEqual(['source_damaged', 'ok', 'ok', 'ok'])
    expect(await failure(open({ files: `${folder}/a.tar`, columns }))).toMatch(
      /^InputError: .*a\.tar: no tar header at byte 0$/,
    )
  })

  it('survives any corrupted header byte', { tags: 'long' }, async () => {
    for (let at = 4096; at < 4608; at += 7) {
      const bytes = Buffer.from(whole)
      bytes[at] = bytes[at]! ^ 0x31

      const items = await read(bytes)

      expect(codesOf(items), `byte ${at}`).toEqual(['ok', 'source_damaged'])
    }
  })
})

describe('gzipped tars', () => {
  const keys = Array.from({ length: 30 }, (_, n) => `k${n}`)
  // Bytes that cannot be packed, so that a cut of the file is a cut of the tar.
  const body = (n: number) =>
    createHash('shake256', { outputLength: 3_000 }).update(String(n)).digest()
  const tar = makeTar(
    keys.flatMap((key, n) => [
      { name: `${key}.jpg`, body: body(n) },
      { name: `${key}.txt`, body: `caption of ${key}` },
    ]),
  )
  const readPacked = async (bytes: Uint8Array, name = 'a.tar.gz') =>
    readSource({ files: await fileOf(bytes, name), columns: { caption: 'txt' } }, [1000, 7, 1])

  it.each(['a.tar.gz', 'a.tgz'])('reads %s as the tar inside', async (name) => {
    const plain = await read(tar)

    expect(await readPacked(gzipSync(tar), name)).toEqual(plain)
    expect(codesOf(plain)).toEqual(keys.map(() => 'ok'))
  })

  it('reads several gzips in a row, and padding behind them', async () => {
    const half = 512 * Math.floor(tar.length / 1024)
    const parts = [gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half)), Buffer.alloc(512)]

    expect(codesOf(await readPacked(Buffer.concat(parts)))).toEqual(keys.map(() => 'ok'))
  })

  it('keeps the samples before a cut, and names member and byte', async () => {
    const packed = gzipSync(tar)

    const items = await readPacked(packed.subarray(0, packed.length / 2))

    const kept = items.length - 1
    expect(codesOf(items)).toEqual([...Array<string>(kept).fill('ok'), 'source_damaged'])
    expect(kept).toBeGreaterThan(12)
    expect(items[kept]).toMatchObject({
      detail: expect.stringMatching(
        new RegExp(
          `a\\.tar\\.gz: (sample "k${kept}": )?member "k${kept}.(jpg|txt)" at byte \\d+ claims \\d+ bytes; ` +
            'gzip: unexpected end of file, after \\d+ unpacked bytes$',
        ),
      ),
    })
  })

  it(
    'ends with the same rows wherever shards begin, whichever byte is broken',
    { tags: 'long' },
    async () => {
      const packed = gzipSync(tar)
      for (let n = 0; n < 12; n++) {
        const broken = Buffer.from(packed)
        const at = Math.floor(((n * 0.618) % 1) * packed.length)
        broken[at] = broken[at]! ^ 0xff
        const file = await fileOf(broken, 'a.tar.gz')

        const items = await readSource(
          { files: file, columns: { caption: 'txt' } },
          [1000, 7],
        ).catch((error: unknown) => String(error))

        if (typeof items === 'string') expect(items, `byte ${at}`).toMatch(/^InputError: .*gzip: /)
        else expect(codesOf(items).at(-1), `byte ${at}`).toBe('source_damaged')
      }
    },
  )

  it('notices a tar that is cut before it was packed', async () => {
    const cut = await readPacked(gzipSync(tar.subarray(0, 512 * 100)))
    const unfinished = await readPacked(gzipSync(tar.subarray(0, tar.length - 1024)))

    expect(cut.at(-1)).toMatchObject({
      code: 'source_damaged',
      detail: expect.stringMatching(
        /member "k\d+\.jpg" at byte \d+ claims .*; the file ends before$/,
      ),
    })
    expect(unfinished.at(-1)).toMatchObject({
      detail: expect.stringMatching(/after member "k29\.txt": the end mark is missing$/),
    })
  })

  it('refuses what is no gzip', async () => {
    const file = await fileOf(tar, 'a.tar.gz')

    expect(await failure(open({ files: file }))).toMatch(
      /^InputError: .*a\.tar\.gz: .*gzip: incorrect header check, after 0 unpacked bytes$/,
    )
  })
})
