import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { codesOf, open, readSource, rowsOf, type SourceConfig } from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

// Made up, in the form of the published files.
const SENTENCES = {
  '1000': [
    'a [/EN#1/animals brown dog 🐕] chases [/EN#2/other/vehicles two kites] in [/EN#0/notvisual the air] .',
    '[/EN#1/animals The dog] runs .',
  ],
  '2000': ['Nothing to see .'],
}

const ANNOTATION = `<annotation>
	<filename>1000.jpg</filename>
	<size><width>500</width><height>300</height><depth>3</depth></size>
	<object><name>1</name><bndbox><xmin>1</xmin><ymin>11</ymin><xmax>100</xmax><ymax>200</ymax></bndbox></object>
	<object><name>2</name><name>3</name><bndbox><xmin>300</xmin><ymin>5</ymin><xmax>350</xmax><ymax>40</ymax></bndbox></object>
	<object><name>2</name><bndbox><xmin>400</xmin><ymin>5</ymin><xmax>450</xmax><ymax>40</ymax></bndbox></object>
	<object><name>4</name><scene>1</scene><nobndbox>0</nobndbox></object>
</annotation>
`

async function dataset(): Promise<string> {
  const folder = await temporaryFolder()
  for (const name of ['Sentences', 'Annotations']) await fs.mkdir(path.join(folder, name))
  for (const [id, lines] of Object.entries(SENTENCES)) {
    await fs.writeFile(
      path.join(folder, `Sentences/${id}.txt`),
      lines.map((l) => `${l}\n`).join(''),
    )
  }
  await fs.writeFile(path.join(folder, 'Annotations/1000.xml'), ANNOTATION)
  return folder
}

describe('Flickr30k Entities', () => {
  it.each(['codePoints', 'utf16'] as const)(
    'gives captions with their visual phrases, %s',
    async (phraseUnits) => {
      const folder = await dataset()

      const items = rowsOf(
        await readSource({
          preset: 'flickr30k-entities',
          files: `${folder}/Sentences`,
          imageRoot: `${folder}/images`,
          columns: { keep: ['chains', 'types'] },
          phraseUnits,
        }),
      )

      expect(items.map(({ image }) => image)).toEqual(
        ['1000', '1000', '2000'].map((id) => ({
          kind: 'file',
          path: `${folder}/images/${id}.jpg`,
        })),
      )
      expect(items.map(({ caption }) => caption)).toEqual([
        'a brown dog 🐕 chases two kites in the air .',
        'The dog runs .',
        'Nothing to see .',
      ])
      expect(
        items.map(({ caption, supplied = [] }) =>
          supplied.map(({ start, end }) => caption.slice(start, end)),
        ),
      ).toEqual([['brown dog 🐕', 'two kites'], ['The dog'], []])
      expect(items[0]?.extra).toEqual({
        chains: ['1', '2'],
        types: [['animals'], ['other', 'vehicles']],
      })
    },
  )

  it('keeps the boxes of the annotations on request, as edges, by chain', async () => {
    const folder = await dataset()
    const config: SourceConfig = {
      preset: 'flickr30k-entities',
      files: `${folder}/Sentences/1000.txt`,
      columns: { keep: ['boxes'] },
    }

    const items = rowsOf(await readSource(config))

    expect(items[1]?.extra).toEqual({
      boxes: {
        1: [[0, 10, 100, 200]],
        2: [
          [299, 4, 350, 40],
          [399, 4, 450, 40],
        ],
        3: [[299, 4, 350, 40]],
      },
    })
    const before = await open(config)
    await fs.appendFile(`${folder}/Annotations/1000.xml`, '\n')
    expect((await open(config)).identity).not.toEqual(before.identity)
  })

  it('rejects what is damaged, and only that', async () => {
    const folder = await dataset()
    const file = `${folder}/Sentences/1000.txt`
    await fs.appendFile(file, 'a [/EN#5 dog] runs\na [/EN#6/animals cat\n')
    await fs.writeFile(`${folder}/Annotations/2000.xml`, ANNOTATION.slice(0, 300))
    const files = `${folder}/Sentences`

    const items = await readSource({ preset: 'flickr30k-entities', files })
    const boxes: SourceConfig = {
      preset: 'flickr30k-entities',
      files,
      columns: { keep: ['boxes'] },
    }
    const boxed = await readSource(boxes)
    await fs.rm(`${folder}/Annotations/1000.xml`)
    const gone = await readSource(boxes)

    expect(codesOf(items)).toEqual(['ok', 'ok', 'row_malformed', 'row_malformed', 'ok'])
    expect(codesOf(boxed)).toEqual(['ok', 'ok', 'row_malformed', 'row_malformed', 'source_damaged'])
    expect(boxed[4]).toMatchObject({ detail: expect.stringMatching(/2000\.xml: cut: it does not/) })
    expect(gone[0]).toMatchObject({ detail: expect.stringMatching(/1000\.xml: is not there$/) })
  })
})
