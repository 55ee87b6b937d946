// A PNG with labelled samples for the eye: boxes in the colour of their phrase, the caption below.

import { createRequire } from 'node:module'
import sharp, { type OverlayOptions } from 'sharp'
import type { FilteredSample } from '../src/filter/filter.ts'

export interface SheetSample {
  readonly bytes: Uint8Array
  readonly sample: FilteredSample
}

const FONT_FILE = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf')
const COLUMNS = 4
const CELL = { width: 330, picture: 240, text: 96 }
const COLOURS = [
  '#e6194b',
  '#3cb44b',
  '#4363d8',
  '#f58231',
  '#911eb4',
  '#008080',
  '#9a6324',
  '#f032e6',
]
const LINE = 2

/** @param samples at most as many as should be shown, in order */
export async function drawSheet(samples: readonly SheetSample[], file: string): Promise<void> {
  const rows = Math.ceil(samples.length / COLUMNS)
  const layers: OverlayOptions[] = []
  for (const [index, { bytes, sample }] of samples.entries()) {
    const left = (index % COLUMNS) * CELL.width
    const top = Math.floor(index / COLUMNS) * (CELL.picture + CELL.text)
    layers.push(
      { input: await drawPicture(bytes, sample), left: left + 5, top: top + 5 },
      { input: await drawText(sample), left: left + 5, top: top + CELL.picture },
    )
  }
  await sharp({
    create: {
      width: COLUMNS * CELL.width,
      height: rows * (CELL.picture + CELL.text),
      channels: 3,
      background: 'white',
    },
  })
    .composite(layers)
    .png()
    .toFile(file)
}

async function drawPicture(bytes: Uint8Array, { row, regions }: FilteredSample): Promise<Buffer> {
  const scale = Math.min((CELL.width - 10) / row.width, (CELL.picture - 10) / row.height)
  const width = Math.round(row.width * scale)
  const height = Math.round(row.height * scale)
  const pixels = await sharp(bytes)
    .resize(width, height, { fit: 'fill' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer()
  for (const { phrase, box } of regions) {
    const colour = hexOf(colourOf(phrase))
    const [x1, y1, x2, y2] = [box.x1, box.y1, box.x2, box.y2].map((edge) =>
      Math.round(edge * scale),
    )
    for (let y = Math.max(0, y1!); y < Math.min(height, y2!); y++) {
      for (let x = Math.max(0, x1!); x < Math.min(width, x2!); x++) {
        const isEdge = x < x1! + LINE || x >= x2! - LINE || y < y1! + LINE || y >= y2! - LINE
        if (isEdge) pixels.set(colour, (y * width + x) * 3)
      }
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

/** The caption with its phrases in the colour of their boxes, each with its best score. */
async function drawText({ row, regions }: FilteredSample): Promise<Buffer> {
  let markup = ''
  let at = 0
  for (const [index, { start, end }] of row.phrases.entries()) {
    if (start < at) continue // a phrase inside another one
    const scores = regions.filter(({ phrase }) => phrase === index).map(({ score }) => score)
    const colour = scores.length === 0 ? '#808080' : colourOf(index)
    const note = scores.length === 0 ? '' : ` ${Math.max(...scores).toFixed(2)}`
    const text = escapeMarkup(row.caption.slice(start, end))
    markup += escapeMarkup(row.caption.slice(at, start))
    markup += `<span foreground="${colour}">${text}<small>${note}</small></span>`
    at = end
  }
  markup += escapeMarkup(row.caption.slice(at))
  const text = { text: markup, font: 'DejaVu Sans 9', fontfile: FONT_FILE, rgba: true, dpi: 96 }
  const { data, info } = await sharp({ text: { ...text, width: CELL.width - 14 } })
    .png()
    .toBuffer({ resolveWithObject: true })
  const height = Math.min(info.height, CELL.text - 8)
  return sharp(data).extract({ left: 0, top: 0, width: info.width, height }).png().toBuffer()
}

function colourOf(phrase: number): string {
  return COLOURS[phrase % COLOURS.length]!
}

function hexOf(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

function escapeMarkup(text: string): string {
  return text.replace(/[&<>]/g, (one) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[one]!)
}
