// Every row of a dataset ends once: as a grounding, or as a reject whose code and detail say why. The
// datasets here are as damaged as those of the web.

import { createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parquetWriteFile } from 'hyparquet-writer'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { ShardError } from '../../src/core/errors.ts'
import type { Reject } from '../../src/core/reasons.ts'
import { assertAccounted } from '../../src/run/shard-accounts.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { committedShards, shardName } from '../../src/store/shards.ts'
import { groundmill } from '../helpers/groundmill.ts'
import { makeJpeg } from '../helpers/images.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { toyPicture } from '../helpers/toy-dataset.ts'
import { TOY } from '../teacher/toy.ts'

const GOOD = 'a red square and a green dot'

interface Fates {
  /** "grounded" or the reject's code, by row. */
  readonly codes: readonly string[]
  readonly rejects: readonly Reject[]
}

/** Runs the source in shards of seven rows and collects how each row ended. */
async function label(
  folder: string,
  source: Record<string, unknown>,
  sections: Record<string, unknown> = {},
): Promise<Fates> {
  const config = path.join(folder, 'config.yaml')
  const teacher = { model: TOY, provider: 'cpu', threads: 1 }
  const tree = { source, teacher, run: { samplesPerShard: 7 }, ...sections }
  await fs.writeFile(config, JSON.stringify(tree))
  const run = path.join(folder, 'run')
  const ended = await groundmill('run', config, '--out', run, '--log=json')
  expect(ended).toMatchObject({ code: 0 })
  const fates = new Map<number, string>()
  const rejects: Reject[] = []
  let total = 0
  for await (const shard of committedShards(createPosixStore(run))) {
    const { rows, counts } = shard.commit
    expect(counts.groundings + counts.rejects).toBe(rows.end - rows.start)
    total += rows.end - rows.start
    for await (const { row } of shard.rows()) fates.set(row, 'grounded')
    const file = path.join(run, 'shards', shardName(shard.id), 'rejects.jsonl')
    const lines = await fs.readFile(file, 'utf8')
    for (const line of lines.split('\n').slice(0, -1)) {
      const reject = JSON.parse(line) as Reject
      expect(fates.has(reject.row)).toBe(false)
      fates.set(reject.row, reject.code)
      rejects.push(reject)
    }
  }
  expect(fates.size).toBe(total)
  const codes = Array.from({ length: total }, (_, row) => fates.get(row) ?? 'lost')
  return { codes, rejects }
}

describe('accounting', () => {
  it('gives every row of a damaged JSON Lines file one end', async () => {
    const folder = await temporaryFolder()
    const write = (name: string, bytes: Uint8Array | string) =>
      fs.writeFile(path.join(folder, name), bytes)
    const jpeg = await makeJpeg({ width: 96, height: 96 })
    await write('good.png', await toyPicture(0))
    await write('cut.jpg', jpeg.subarray(0, Math.floor(jpeg.length / 2)))
    await write('text.jpg', 'this is no picture')
    await write('empty.jpg', '')
    await write('small.png', await toyPicture(0).then((png) => png.subarray(0, 40)))
    const line = (row: Record<string, unknown>) =>
      JSON.stringify({ image: 'good.png', caption: GOOD, ...row })
    const cases: (readonly [string | Uint8Array, string])[] = [
      [line({}), 'grounded'],
      [line({ image: 'cut.jpg' }), 'decode_truncated'],
      [line({ image: 'small.png' }), 'decode_truncated'],
      [line({ image: 'text.jpg' }), 'not_image'],
      [line({ image: 'empty.jpg' }), 'body_empty'],
      [line({ image: 'gone.jpg' }), 'file_missing'],
      [line({ image: '../../../../etc/passwd' }), 'member_unsafe'],
      [line({ image: 7 }), 'row_malformed'],
      [line({ image: null }), 'image_missing'],
      [line({ caption: 7 }), 'row_malformed'],
      [line({ caption: { text: GOOD } }), 'row_malformed'],
      [line({ caption: null }), 'caption_missing'],
      [line({ caption: '' }), 'caption_empty'],
      [line({ caption: ' \t ' }), 'caption_empty'],
      [line({ caption: `a red \0 square` }), 'encoding_invalid'],
      [line({ caption: 'half of a pair \ud83d here' }), 'encoding_invalid'],
      [Buffer.from(line({}).replace('red', 're\0d')), 'encoding_invalid'],
      [Buffer.from(line({}).replace('red', 'r\xff\xfed'), 'latin1'), 'encoding_invalid'],
      [line({ caption: 'x'.repeat(5000) }), 'row_too_long'],
      ['{"image": "good.png", "caption": "a red squ', 'row_malformed'],
      ['["good.png", "a list"]', 'row_malformed'],
      [line({ caption: GOOD }), 'grounded'],
    ]
    const newline = Buffer.from('\n')
    const bytes = cases.flatMap(([content]) => [Buffer.from(content), newline])
    await write('rows.jsonl', Buffer.concat(bytes))

    const files = path.join(folder, 'rows.jsonl')
    const { codes, rejects } = await label(folder, { files, maxRowBytes: 2048 })

    expect(codes).toEqual(cases.map(([, code]) => code))
    const unreadable = rejects.filter(({ row }) => row === 19)
    expect(unreadable[0]?.detail).toMatch(/rows\.jsonl at byte \d+: not JSON/)
    expect(rejects.every(({ key, row }) => Number(key.slice(-5)) === row % 7)).toBe(true)
  })

  it('stores no image of a row that the teacher refuses', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'good.png'), await toyPicture(0))
    const long = `${GOOD}, ${'another red square and '.repeat(5)}a dot`
    const captions = [GOOD, long, GOOD, GOOD, long, ...Array<string>(2).fill(GOOD), long]
    const files = path.join(folder, 'rows.jsonl')
    const rows = captions.map((caption) => JSON.stringify({ image: 'good.png', caption }))
    await fs.writeFile(files, rows.join('\n'))

    const { codes } = await label(
      folder,
      { files },
      {
        image: { minSide: 16 },
        prompt: { maxTokens: 12, overflow: 'drop' },
        run: { samplesPerShard: 7, storeImages: 'always' },
      },
    )

    expect(codes).toEqual(
      captions.map((caption) => (caption === long ? 'prompt_too_long' : 'grounded')),
    )
    const stored: string[][] = []
    for await (const shard of committedShards(createPosixStore(path.join(folder, 'run')))) {
      const keys: string[] = []
      for await (const { key } of shard.images()) keys.push(key)
      stored.push(keys)
    }
    // The second shard has no image at all, and no archive.
    const first = ['0000000000', '0000000002', '0000000003', '0000000005', '0000000006']
    expect(stored).toEqual([first, []])
  })

  it('refuses what repeats in a shard by knob, each with its code', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    const same = await makeJpeg({ width: 96, height: 96, seed: 1 }, 95)
    const near = await makeJpeg({ width: 96, height: 96, seed: 1 }, 80)
    const other = await makeJpeg({ width: 96, height: 96, seed: 2 })
    const images = { 'a.jpg': same, 'copy.jpg': same, 'near.jpg': near, 'b.jpg': other }
    for (const [name, bytes] of Object.entries(images)) {
      await fs.writeFile(path.join(folder, name), bytes)
    }
    const url = 'http://127.0.0.1/x.jpg'
    const cases = [
      [{ image: 'a.jpg', caption: GOOD }, 'grounded'],
      [{ url, caption: 'a blue dot' }, 'addr_blocked'],
      [{ url, caption: 'a blue square' }, 'duplicate_url'],
      [{ image: 'copy.jpg', caption: GOOD }, 'duplicate_pair'],
      [{ image: 'copy.jpg', caption: 'a red dot' }, 'grounded'],
      [{ image: 'near.jpg', caption: `${GOOD} #again` }, 'duplicate_near'],
      [{ image: 'b.jpg', caption: GOOD }, 'caption_repeated'],
      // The next shard counts anew: exports tell its repeats apart.
      [{ image: 'b.jpg', caption: GOOD }, 'grounded'],
      [{ image: 'near.jpg', caption: GOOD }, 'grounded'],
    ] as const
    const files = path.join(folder, 'rows.jsonl')
    await fs.writeFile(files, cases.map(([row]) => `${JSON.stringify(row)}\n`).join(''))

    const { codes } = await label(
      folder,
      { files, columns: { url: 'url', image: 'image', caption: 'caption' } },
      {
        caption: { minWords: 1, maxRepeats: 3 },
        image: { minSide: 16 },
        run: { samplesPerShard: 7, duplicates: { url: 'reject', pair: 'reject', nearBits: 6 } },
      },
    )

    expect(codes).toEqual(cases.map(([, code]) => code))
  })

  it('gives the rows of a broken Parquet row group one end', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'good.png'), await toyPicture(0))
    const file = path.join(folder, 'rows.parquet')
    const rows = Array.from({ length: 30 }, (_, row) => `${GOOD} number ${row}`)
    parquetWriteFile({
      filename: file,
      rowGroupSize: 10,
      columnData: [
        { name: 'image', data: rows.map(() => 'good.png'), type: 'STRING' },
        { name: 'caption', data: rows, type: 'STRING' },
      ],
    })
    const bytes = await fs.readFile(file)
    // The captions of the second group are stored compressed behind its first one.
    const second = bytes.indexOf('number 10')
    bytes.fill(0xff, second - 60, second + 9)
    await fs.writeFile(file, bytes)

    const { codes, rejects } = await label(folder, { files: file })

    const isBroken = (row: number) => row >= 10 && row < 20
    expect(codes).toEqual(rows.map((_, row) => (isBroken(row) ? 'source_damaged' : 'grounded')))
    expect(rejects[0]?.detail).toMatch(/rows\.parquet row group 1/)
  })

  it('gives the samples of a cut tar with double keys one end', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    const file = path.join(folder, '00000.tar')
    const archive = pack()
    const written = pipeline(archive, createWriteStream(file))
    const add = (name: string, content: Buffer | string) => archive.entry({ name }, content)
    for (const key of ['a', 'b', 'c', 'd', 'e', 'b', 'f', 'g', 'h']) {
      add(`${key}.png`, await toyPicture(0))
      if (key !== 'c') add(`${key}.txt`, GOOD)
    }
    archive.finalize()
    await written
    const bytes = await fs.readFile(file)
    const last = bytes.lastIndexOf('h.png')
    await fs.writeFile(file, bytes.subarray(0, last + 600))

    const { codes, rejects } = await label(folder, { files: file })

    expect(codes.slice(0, 7)).toEqual([
      'grounded',
      'grounded',
      'caption_missing',
      'grounded',
      'grounded',
      'key_duplicate',
      'grounded',
    ])
    expect(codes.at(-1)).toBe('source_damaged')
    expect(rejects.at(-1)?.detail).toMatch(/00000\.tar/)
  })
})

describe('assertAccounted', () => {
  const shard = { id: 4, start: 10, end: 13 }
  const rows = (...numbers: number[]) => numbers.map((row) => ({ row }))

  it('accepts every row once', () => {
    expect(() => {
      assertAccounted(shard, { rows: rows(12, 10), rejects: rows(11) })
    }).not.toThrow()
  })

  it.each([
    [
      'lost',
      rows(10),
      rows(11),
      /shard 4 has 3 rows, but 1 groundings and 1 rejects: row 12 is lost/,
    ],
    ['doubled', rows(10, 11), rows(11), /row 11 ended twice/],
    ['of another shard', rows(10, 11), rows(13), /row 13 is not of this shard/],
  ])('names a row that is %s', (_, groundings, rejects, message) => {
    const check = () => {
      assertAccounted(shard, { rows: groundings, rejects })
    }

    expect(check).toThrow(ShardError)
    expect(check).toThrow(message)
  })
})
