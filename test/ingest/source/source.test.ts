import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import YAML from 'yaml'
import { z } from 'zod'
import { presets, sourceOptionsSchema, sourceTypes } from '../../../src/ingest/source/options.ts'
import { expandBraces } from '../../../src/ingest/source/files/list-files.ts'
import { codesOf, failure, open, readSource, rowsOf } from '../../helpers/sources.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

/** A folder with these files. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [name, content] of Object.entries(files)) {
    await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await fs.writeFile(path.join(folder, name), content)
  }
  return folder
}

const line = (caption: string) => `${JSON.stringify({ url: 'u', caption })}\n`

describe('docs/sources.md', () => {
  it('has snippets that a config takes, and names every type and preset', async () => {
    const text = await fs.readFile('docs/sources.md', 'utf8')
    const snippets = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, snippet]) => snippet!)
    const config = z.strictObject({ source: sourceOptionsSchema })

    expect(snippets.length).toBeGreaterThan(5)
    for (const snippet of snippets) {
      expect(config.safeParse(YAML.parse(snippet)).error, snippet).toBeUndefined()
    }
    for (const type of sourceTypes) expect(text).toContain(`| \`${type}\` |`)
    for (const preset of Object.keys(presets)) expect(text).toContain(`preset: ${preset}`)
  })
})

describe('presets', () => {
  const url = 'https://example.org/7.jpg'
  const rows = {
    laion: { SAMPLE_ID: 7, URL: url, TEXT: 'a red kettle', NSFW: 'UNLIKELY' },
    're-laion': { URL: url, TEXT: 'a red kettle', LANGUAGE: 'en' },
    'laion-coco': { URL: url, TEXT: 'kettle.jpg', top_caption: 'a red kettle' },
    coyo: { id: 7, url, text: 'a red kettle' },
    datacomp: { uid: '0'.repeat(32), url, text: 'a red kettle' },
    cc2dataset: { uid: '0'.repeat(32), url, alt: 'a red kettle' },
    mscoco: { URL: url, TEXT: 'a red kettle' },
    grit: { id: 7, url, caption: 'a red kettle', noun_chunks: [[0, 12, 0.1, 0.1, 0.3, 0.6, 0.8]] },
  } as const

  it.each(Object.keys(rows) as (keyof typeof rows)[])('knows the columns of %s', async (preset) => {
    const folder = await folderOf({ 'a.jsonl': JSON.stringify(rows[preset]) })

    const items = await readSource({ preset, type: 'jsonl', files: path.join(folder, 'a.jsonl') })

    expect(items).toEqual([
      {
        row: 0,
        image: { kind: 'url', url },
        caption: 'a red kettle',
        ...(preset === 'grit' ? { supplied: [{ start: 0, end: 12 }] } : {}),
      },
    ])
  })
})

describe('files of a source', () => {
  it('takes lists, patterns and folders, in a stable order', async () => {
    const folder = await folderOf({
      'b/2.jsonl': line('b2'),
      'b/10.jsonl': line('b10'),
      'a.jsonl': line('a'),
      'c.jsonl': line('c'),
      '.hidden.jsonl': line('hidden'),
    })
    const captions = async (...names: readonly string[]) => {
      const files = names.map((name) => path.join(folder, name))
      return rowsOf(await readSource({ files, type: 'jsonl' })).map(({ caption }) => caption)
    }

    expect(await captions('c.jsonl', 'a.jsonl')).toEqual(['c', 'a'])
    expect(await captions('*.jsonl')).toEqual(['a', 'c'])
    expect(await captions('**/*.jsonl')).toEqual(['a', 'b10', 'b2', 'c'])
    expect(await captions('{c,a}.jsonl', 'b')).toEqual(['c', 'a', 'b10', 'b2'])
    expect(await captions('b/?.jsonl')).toEqual(['b2'])
  })

  it('counts braces up with their zeros', () => {
    expect(expandBraces('x{08..11}.{tar,b}')).toEqual(
      ['08', '09', '10', '11'].flatMap((n) => [`x${n}.tar`, `x${n}.b`]),
    )
  })

  it('says which entry matches nothing, is named twice or is of no known type', async () => {
    const folder = await folderOf({
      'a.jsonl': line('a'),
      'b.txt': 'x',
      'mixed/a.csv': '',
      'mixed/b.tar': '',
    })
    const at = (name: string) => path.join(folder, name)

    for (const [files, message] of [
      [[at('no.jsonl')], /^ConfigError: source\.files: .*no\.jsonl: ENOENT/],
      [[at('*.tsv')], /nothing matches .*\*\.tsv/],
      [[at('a.jsonl'), at('{a}.jsonl')], /a\.jsonl is named twice/],
      [[at('b.txt')], /source\.type: cannot tell the type of .*b\.txt/],
      [[at('mixed')], /has files of csv and webdataset; give one of/],
    ] as const) {
      expect(await failure(open({ files: [...files] })), files.join()).toMatch(message)
    }
  })

  it('is another source once a file was edited, touched or replaced', async () => {
    const folder = await folderOf({ 'a.jsonl': line('a') + line('b') })
    const file = path.join(folder, 'a.jsonl')
    const time = new Date('2024-01-01T00:00:00Z')
    await fs.utimes(file, time, time)
    const identity = async () => (await open({ files: file })).identity
    const before = await identity()

    expect(await identity()).toEqual(before)
    await fs.writeFile(file, line('c') + line('b'))
    await fs.utimes(file, time, time)
    expect(await identity()).not.toEqual(before)
    await fs.writeFile(file, line('a') + line('b'))
    expect(await identity()).not.toEqual(before)
  })
})

describe('folders of images', () => {
  it('reads captions beside the images, in any depth', async () => {
    const folder = await folderOf({
      'b.jpg': 'x',
      'b.txt': 'caption b\n',
      'a/c.PNG': 'x',
      'a/c.txt': 'caption c',
      'a/alone.jpg': 'x',
      'a/text.txt': 'no image',
      'notes.md': 'x',
    })

    const items = await readSource({ files: folder })

    expect(codesOf(items)).toEqual(['caption_missing', 'ok', 'image_missing', 'ok'])
    expect(items[1]).toEqual({
      row: 1,
      image: { kind: 'file', path: path.join(folder, 'a/c.PNG') },
      caption: 'caption c',
    })
    expect(items[3]).toMatchObject({ caption: 'caption b' })
  })

  it.each([
    [
      'metadata.jsonl',
      '{"file_name":"x/1.jpg","text":"one"}\n{"file_name":"../2.jpg","text":"two"}\n',
    ],
    ['metadata.csv', 'file_name,text\nx/1.jpg,one\n../2.jpg,two\n'],
  ])('reads an imagefolder with %s', async (name, content) => {
    const folder = await folderOf({ [name]: content, 'x/1.jpg': 'x' })

    const items = await readSource({ files: folder })

    expect(codesOf(items)).toEqual(['ok', 'member_unsafe'])
    expect(items[0]).toEqual({
      row: 0,
      image: { kind: 'file', path: path.join(folder, 'x/1.jpg') },
      caption: 'one',
    })
  })
})
