import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createArrowThread } from '../../../src/ingest/source/formats/arrow-thread.ts'
import { findPython, runPython } from '../../helpers/python.ts'
import { codesOf, failure, open, readSource, rowsOf } from '../../helpers/sources.ts'

const python = findPython('datasets', 'PIL')

interface Written {
  readonly rows: readonly { file_name: string; caption: string; bytes: string }[]
  readonly table: readonly Readonly<Record<string, unknown>>[]
}

describe.skipIf(python === undefined)('written by Hugging Face datasets and pyarrow', () => {
  let folder = ''
  let written: Written = { rows: [], table: [] }

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-datasets-'))
    const printed = await runPython(python!, 'test/ingest/source/write_datasets.py', folder)
    // Numbers behind 2^53 would lose their last digits.
    const exact = printed.replace(/"id": (\d{17,})/g, '"id": "$1"')
    written = JSON.parse(exact) as Written
  }, 180_000)
  afterAll(() => fs.rm(folder, { recursive: true, force: true }))

  it('reads an imagefolder with its metadata', async () => {
    const items = await readSource({ files: `${folder}/images`, columns: { keep: ['objects'] } })

    expect(items).toEqual(
      written.rows.map(({ file_name: file, caption }, row) => ({
        row,
        image: { kind: 'file', path: `${folder}/images/${file}` },
        caption,
        extra: { objects: { bbox: [[1, 2, 3, 4]], categories: [0] } },
      })),
    )
  })

  it.each(['embedded.parquet', 'saved'])('reads images embedded in %s', async (name) => {
    const files = name === 'saved' ? `${folder}/saved/*.arrow` : `${folder}/${name}`

    const items = rowsOf(await readSource({ files }, [1000, 5]))

    expect(items.map(({ caption }) => caption)).toEqual(written.rows.map(({ caption }) => caption))
    expect(
      items.map(({ image }) => (image.kind === 'bytes' ? Buffer.from(image.bytes) : undefined)),
    ).toEqual(written.rows.map(({ bytes }) => Buffer.from(bytes, 'base64')))
  })

  const variants = [
    'uncompressed.feather',
    'lz4.feather',
    'zstd.feather',
    'stream.arrow',
    'file.arrow',
  ]
  it.each(variants)('reads %s', async (name) => {
    const keep = Object.keys(written.table[0]!)
    const items = await readSource(
      {
        files: path.join(folder, name),
        columns: { url: 'url', caption: 'caption', phrases: 'spans', keep },
        phraseUnits: 'utf16',
      },
      [1000, 3],
    )

    expect(items).toEqual(
      written.table.map((row, index) => ({
        row: index,
        image: { kind: 'url', url: row['url'] },
        caption: row['caption'],
        supplied: Array.from({ length: index % 3 }, () => ({ start: 0, end: 3 })),
        extra: row,
      })),
    )
  })

  it('says of a stream without batches that it has no rows', async () => {
    const items = await readSource({ files: `${folder}/empty.arrow` })

    expect(items).toEqual([])
  })

  it('loses what is behind a cut, and says where', async () => {
    const bytes = await fs.readFile(`${folder}/stream.arrow`)
    const file = path.join(folder, 'cut.arrow')
    await fs.writeFile(file, bytes.subarray(0, bytes.length - 300))

    const items = await readSource({ files: file }, [1000, 3])

    expect(codesOf(items)).toEqual([...Array<string>(10).fill('ok'), 'source_damaged'])
    expect(items[10]).toMatchObject({
      detail: expect.stringMatching(/cut\.arrow: cut at byte \d+, inside a message$/),
    })
    await fs.writeFile(file, bytes.subarray(0, 20))
    expect(await failure(open({ files: file }))).toMatch(/^InputError: .*cut\.arrow: cut at byte/)
    await fs.writeFile(file, 'no arrow file')
    expect(await failure(open({ files: file }))).toMatch(/no Arrow message at byte 0/)
  })

  it('ends with every row read or rejected whichever byte is corrupted', async () => {
    const bytes = await fs.readFile(`${folder}/lz4.feather`)
    const file = path.join(folder, 'mutated.feather')
    for (let n = 0; n < 40; n++) {
      const mutated = Buffer.from(bytes)
      const at = Math.floor(((n * 0.618) % 1) * bytes.length)
      mutated[at] = mutated[at]! ^ 0x80 ^ (1 << (n % 7))
      await fs.writeFile(file, mutated)
      try {
        await readSource({ files: file, columns: { url: 'url', caption: 'caption' } }, [100])
      } catch (error) {
        expect(String(error), `byte ${at}`).toMatch(/^(InputError|ConfigError): /)
      }
    }
  }, 300_000)
})

describe('createArrowThread', () => {
  it('ends a request that does not end by itself, and serves the next', async () => {
    const thread = createArrowThread()
    const nothing = { kind: 'describe', metadata: new Uint8Array(8) } as const

    // A thread that has not even started in a millisecond stands for one that loops.
    expect(await failure(thread.ask(nothing, 1))).toMatch(/^DamagedFile: not parsed in 0\.001 s/)
    const again = await thread.ask(nothing).catch((error: unknown) => error)
    await thread.close()

    expect(String(again)).not.toMatch(/not parsed in/)
  })
})
