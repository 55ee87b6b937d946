// Flickr30k Entities: Sentences/<id>.txt, a caption per line with its phrases marked in brackets, and
// the boxes of the phrases in Annotations/<id>.xml.

import { codePointIndex } from '../../../core/span.ts'
import type { SourceOptions } from '../options.ts'
import { isThere, type SourceFile } from '../files/files.ts'
import { damagedRow, type Fields, type SourceFormat } from './format.ts'
import { createTextFormat } from './text-rows.ts'

/** `phrases`, `chains` and `types` are parallel; `boxes` are edges in pixels, by chain. */
const columns = ['image', 'caption', 'phrases', 'chains', 'types', 'boxes'] as const

const MAX_ANNOTATION_BYTES = 2 ** 20
/** `[/EN#<chain>/<type> words]`; a phrase may have several types. */
const PHRASE = /\[\/EN#(\d{1,12})\/([a-z/]{1,80}) ([^[\]]+)\]/gi
/** A chain that nothing in the picture can be pointed at for. */
const NOT_VISUAL = '0'

/** @param wanted `boxes` are read only if they are asked for */
export function createEntitiesFormat(
  wanted: readonly string[],
  options: SourceOptions,
): SourceFormat {
  const lines = createTextFormat('lines', options)
  return {
    columns: () => Promise.resolve(columns),
    marks: (file, grid) => lines.marks(file, grid),
    read: async function* (file, position) {
      const annotations = annotationFileOf(file)
      const image = file.path.replace(/^.*\//, '').replace(/\.txt(?=$|\?)/i, '.jpg')
      let boxes: Boxes | string | undefined
      for await (const raw of lines.read(file, position)) {
        if ('code' in raw) {
          yield raw
          continue
        }
        const found = parseEntities(String(raw.fields['line']), options.phraseUnits)
        if (typeof found === 'string') {
          yield { code: 'row_malformed', detail: `${image}: ${found}` }
          continue
        }
        if (wanted.includes('boxes')) boxes ??= await readBoxes(annotations)
        if (typeof boxes === 'string') yield damagedRow(annotations.path, boxes)
        else yield { fields: { image, ...found, boxes } }
      }
    },
  }
}

/** The file with the boxes of a file of sentences. */
export function annotationFileOf(file: SourceFile): SourceFile {
  const inXml = (name: string) => `../Annotations/${name.replace(/\.txt/i, '.xml')}`
  return file.beside(file.path.replace(/[^/]*$/, inXml))
}

/**
 * A marked sentence as caption and phrases; phrases that are not visual are words of the caption only.
 *
 * @returns what is wrong with it, if it is none
 */
function parseEntities(sentence: string, units: SourceOptions['phraseUnits']): Fields | string {
  const spans: { start: number; end: number; chain: string; types: string[] }[] = []
  let caption = ''
  let copied = 0
  for (const match of sentence.matchAll(PHRASE)) {
    const [marked, chain, types, words] = match as unknown as [string, string, string, string]
    caption += sentence.slice(copied, match.index)
    const start = caption.length
    caption += words
    copied = match.index + marked.length
    if (chain === NOT_VISUAL) continue
    spans.push({ start, end: caption.length, chain, types: types.split('/') })
  }
  caption += sentence.slice(copied)
  if (caption.includes('[/EN#')) return 'a mark that is not of the form [/EN#chain/type words]'
  const { toCodePoint } = codePointIndex(caption)
  const convert = units === 'utf16' ? (index: number) => index : toCodePoint
  return {
    caption,
    phrases: spans.map(({ start, end }) => [convert(start), convert(end)]),
    chains: spans.map(({ chain }) => chain),
    types: spans.map(({ types }) => types),
  }
}

/** [x1, y1, x2, y2] by chain. */
type Boxes = Readonly<Record<string, readonly (readonly number[])[]>>

async function readBoxes(annotations: SourceFile): Promise<Boxes | string> {
  if (!(await isThere(annotations))) return 'is not there'
  await using file = await annotations.open()
  const bytes = await file.read(0, MAX_ANNOTATION_BYTES + 1)
  if (bytes.length > MAX_ANNOTATION_BYTES) return `longer than ${MAX_ANNOTATION_BYTES} bytes`
  return parseBoxes(bytes.toString('utf8'))
}

/**
 * The boxes of an annotation file. There, pixels are counted from 1 and the last one belongs to the box;
 * here they become edges. Objects without a box (`nobndbox`, `scene`) give none.
 *
 * @returns what is wrong with it, if it is none
 */
function parseBoxes(xml: string): Boxes | string {
  if (!/<\/annotation>\s*$/.test(xml)) return `cut: it does not end with </annotation>`
  const boxes: Record<string, number[][]> = {}
  for (const [, object = ''] of xml.matchAll(/<object>(.*?)<\/object>/gs)) {
    if (!object.includes('<bndbox>')) continue
    const [x1, y1, x2, y2] = ['xmin', 'ymin', 'xmax', 'ymax'].map((name) =>
      Number(new RegExp(`<${name}>\\s*(\\d{1,6})\\s*</${name}>`).exec(object)?.[1] ?? NaN),
    ) as [number, number, number, number]
    const names = [...object.matchAll(/<name>\s*(\d{1,12})\s*<\/name>/g)]
    const isBox = x1 >= 1 && y1 >= 1 && x2 >= x1 && y2 >= y1
    if (!isBox || names.length === 0) return `an object that is no box: ${object.slice(0, 80)}`
    for (const [, name] of names) (boxes[name!] ??= []).push([x1 - 1, y1 - 1, x2, y2])
  }
  return boxes
}
