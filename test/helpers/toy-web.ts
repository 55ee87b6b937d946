// Whole runs over a loopback server in seconds: rows with URLs, captions and the toy teacher.

import fs from 'node:fs/promises'
import path from 'node:path'
import sharp from 'sharp'
import { picture, TOY } from '../teacher/toy.ts'
import { LOOPBACK } from './image-loader.ts'

export interface WebRow {
  readonly url: string
  readonly caption?: string
}

/** Writes rows.jsonl and web.yaml. @returns the path of the config */
export async function makeWebDataset(
  folder: string,
  rows: readonly WebRow[],
  sections: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
): Promise<string> {
  const source = path.join(folder, 'rows.jsonl')
  const lines = rows.map((row) => `${JSON.stringify({ caption: 'a red square', ...row })}\n`)
  await fs.writeFile(source, lines.join(''))
  const config = path.join(folder, 'web.yaml')
  const { fetch, ...others } = sections
  await fs.writeFile(
    config,
    JSON.stringify({
      source: { files: source },
      teacher: { model: TOY, provider: 'cpu', threads: 1 },
      fetch: { ...LOOPBACK, ...fetch },
      ...others,
    }),
  )
  return config
}

/** PNG, 64 x 64 px, with a red square whose place follows from the index. */
export async function redSquare(index = 0): Promise<Buffer> {
  const at = { x: 8 * (index % 5), y: 8 * (Math.floor(index / 5) % 5) }
  const { data, width, height } = picture(64, 64, [{ colour: 'red', ...at, side: 16 }])
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}
