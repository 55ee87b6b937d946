// Lines of a JSON Lines file as a Python loader would see them, one in memory at a time.

import { createReadStream } from 'node:fs'
import { messageOf } from '../core/errors.ts'
import { parsePythonJson } from './python-json.ts'

/** Why a line cannot be parsed. */
export type LineProblem = 'file_bom' | 'utf8_invalid' | 'line_blank' | 'json_invalid'

/** A line, numbered from 1, as a value or as what is wrong with it. */
export type JsonLine =
  | { readonly line: number; readonly value: unknown }
  | { readonly line: number; readonly problem: LineProblem; readonly detail: string }

const NEWLINE = 0x0a

/** mmdetection's converters call JSON Lines `*_od.json` and `*_vg.json`. */
export function isJsonLinesName(name: string): boolean {
  return /\.jsonl$|_(?:od|vg)\.json$/.test(name)
}

/** Memory: one line. */
export async function* readJsonLines(file: string): AsyncGenerator<JsonLine> {
  let line = 0
  let rest: Buffer[] = []
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      yield parseLine(Buffer.concat([...rest, chunk.subarray(from, at)]), ++line)
      rest = []
      from = at + 1
    }
    if (from < chunk.length) rest.push(chunk.subarray(from))
  }
  if (rest.length > 0) yield parseLine(Buffer.concat(rest), ++line)
}

function parseLine(bytes: Buffer, line: number): JsonLine {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return { line, problem: 'utf8_invalid', detail: bytes.toString().slice(0, 80) }
  }
  if (text.startsWith('\ufeff')) return { line, problem: 'file_bom', detail: text.slice(1, 80) }
  if (text.trim() === '') return { line, problem: 'line_blank', detail: 'an empty line' }
  try {
    return { line, value: parsePythonJson(text) }
  } catch (error) {
    return { line, problem: 'json_invalid', detail: messageOf(error) }
  }
}
