// A dataset for whole runs in seconds: pictures of coloured squares that the toy teacher finds, with
// captions, written as JSON Lines beside a config.

import fs from 'node:fs/promises'
import path from 'node:path'
import sharp from 'sharp'
import { picture, TOY } from '../teacher/toy.ts'

const COLOURS = ['red', 'green', 'blue'] as const
const PICTURES = 12

/** A row of the dataset; what is not given is as in any good row. */
export interface ToyRow {
  readonly image: string
  readonly caption: string
}

export interface ToyDataset {
  /** Path of the config. */
  readonly config: string
  readonly rows: readonly ToyRow[]
}

export interface ToyDatasetOptions {
  readonly rows: number
  /** Beside `source:` and `teacher:`; YAML is JSON's superset. */
  readonly sections?: Readonly<Record<string, unknown>>
  /** Rows without a caption; if it is given every row has a picture. */
  readonly isEmpty?: (row: number) => boolean
}

/** Of every ten rows one has no picture and one no caption, unless told otherwise. */
export async function makeToyDataset(
  folder: string,
  { rows: count, sections = {}, isEmpty }: ToyDatasetOptions,
): Promise<ToyDataset> {
  await fs.mkdir(folder, { recursive: true })
  for (let index = 0; index < PICTURES; index++) {
    await fs.writeFile(path.join(folder, `${index}.png`), await toyPicture(index))
  }
  const rows = Array.from({ length: count }, (_, row): ToyRow => {
    const index = row % PICTURES
    return {
      image: isEmpty === undefined && row % 10 === 7 ? `missing-${row}.png` : `${index}.png`,
      caption:
        (isEmpty?.(row) ?? row % 10 === 3)
          ? ''
          : `a ${colour(index)} square and a ${colour(index + 1)} dot`,
    }
  })
  const source = path.join(folder, 'rows.jsonl')
  await fs.writeFile(source, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const config = path.join(folder, 'toy.yaml')
  await fs.writeFile(
    config,
    JSON.stringify({
      source: { files: source },
      teacher: { model: TOY, provider: 'cpu', threads: 1 },
      image: { minSide: 16 },
      ...sections,
    }),
  )
  return { config, rows }
}

/** PNG, 64 x 64 px, with squares of two colours. */
export async function toyPicture(index: number): Promise<Buffer> {
  const { data, width, height } = picture(64, 64, [
    { colour: colour(index), x: 8 * (index % 3), y: 0, side: 32 },
    { colour: colour(index + 1), x: 32, y: 40, side: 8 + 8 * (index % 2) },
  ])
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

function colour(index: number) {
  return COLOURS[index % COLOURS.length]!
}
