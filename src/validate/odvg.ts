// Checks ODVG (JSON Lines) against one loader: only what that loader reads can be wrong.

import type { OdvgDialect } from '../core/dialects.ts'
import { leadingSpace, pythonStrip } from '../core/python-text.ts'
import { codePointIndex } from '../core/span.ts'
import { Findings, show, type Place } from './findings.ts'
import { readJsonLines } from './json-lines.ts'
import { odvgRules, type OdvgCode } from './odvg-rules.ts'
import { isNumbers, isTree, type Tree } from './python-json.ts'

/** First UTF-16 unit of each BERT token of a text, without [CLS] and [SEP]. */
export type TokenStarts = (text: string) => readonly number[]

export interface OdvgOptions {
  readonly dialect: OdvgDialect
  readonly tokenStarts: TokenStarts
  /** Names by label; present: the file is read as detections. */
  readonly labels?: Readonly<Record<string, unknown>>
}

/** Of 256 tokens two are [CLS] and [SEP]. */
const MAX_TOKENS = 254

export function createOdvgFindings(dialect: OdvgDialect): Findings<OdvgCode> {
  return new Findings(odvgRules(dialect))
}

/** @returns the number of records */
export async function checkOdvgFile(
  path: string,
  file: string,
  options: OdvgOptions,
  findings: Findings<OdvgCode>,
): Promise<number> {
  let records = 0
  for await (const line of readJsonLines(path)) {
    records++
    const place = { file, line: line.line }
    if ('problem' in line) findings.add(line.problem, { ...place, detail: line.detail })
    else
      checkRecord(line.value, options, (code, detail, record) =>
        findings.add(code, { ...place, ...(record === undefined ? {} : { record }), detail }),
      )
  }
  if (records === 0) findings.add('file_empty', { file, detail: 'no line' })
  return records
}

type Say = (code: OdvgCode, detail: string, record?: string) => void

function checkRecord(value: unknown, options: OdvgOptions, say: Say): void {
  const { dialect, labels } = options
  if (!isTree(value)) return say('record_not_object', show(value))
  const nameKey = dialect === 'tao' ? 'file_name' : 'filename'
  if (typeof value[nameKey] !== 'string') {
    const other = dialect === 'tao' ? 'filename' : 'file_name'
    say('filename_missing', other in value ? `no "${nameKey}", but "${other}"` : `no "${nameKey}"`)
  }
  // Open-GroundingDino opens the image and takes its size.
  const size = dialect === 'open-groundingdino' ? readSize(value) : checkSize(value, say)
  const variant = labels === undefined ? 'grounding' : 'detection'
  const content = value[variant]
  if (!isTree(content)) {
    const other = labels === undefined ? 'detection' : 'grounding'
    say('variant_missing', `no "${variant}"${other in value ? `, but "${other}"` : ''}`)
  } else if (labels === undefined) {
    checkGrounding(content, size, options, say)
  } else {
    checkDetection(content, size, labels, say)
  }
}

interface Size {
  readonly width: number
  readonly height: number
}

function readSize({ width, height }: Tree): Size | undefined {
  return typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0
    ? { width, height }
    : undefined
}

function checkSize(record: Tree, say: Say): Size | undefined {
  const missing = ['height', 'width'].filter((key) => !(key in record))
  if (missing.length > 0) say('size_missing', `no ${missing.map((key) => `"${key}"`).join(', ')}`)
  const size = readSize(record)
  if (missing.length === 0 && size === undefined) {
    say('size_invalid', `width ${show(record['width'])}, height ${show(record['height'])}`)
  }
  return size
}

function checkGrounding(
  grounding: Tree,
  size: Size | undefined,
  { dialect, tokenStarts }: OdvgOptions,
  say: Say,
): void {
  const { regions } = grounding
  // TAO's own merger writes "captions".
  const caption = grounding['caption'] ?? (dialect === 'tao' ? grounding['captions'] : undefined)
  const isCaptionRead = dialect !== 'open-groundingdino'
  if (isCaptionRead && typeof caption !== 'string') say('caption_missing', show(caption))
  if (!Array.isArray(regions)) return say('regions_missing', show(regions))
  if (regions.length === 0) say('regions_empty', 'regions is []')
  const text = isCaptionRead && typeof caption === 'string' ? loaderText(caption) : undefined
  if (text !== undefined && text.shown.trim() === '') say('caption_blank', show(caption))
  const phrases = new Set<string>()
  const spans: number[] = []
  for (const [index, region] of (regions as unknown[]).entries()) {
    const record = `regions[${index}]`
    if (!isTree(region)) {
      say('bbox_missing', show(region), record)
      continue
    }
    checkPhrase(region, dialect, say, record)
    if (typeof region['phrase'] === 'string') phrases.add(region['phrase'])
    checkRegionBoxes(region, size, dialect, say, record)
    if (dialect === 'mmdet') spans.push(...checkSpans(region, text, say, record))
  }
  if (dialect === 'mmdet') {
    const cut = text === undefined ? undefined : tokenStarts(text.shown)[MAX_TOKENS]
    const lost = spans.filter((start) => start >= (cut ?? Infinity))
    if (lost.length > 0) say('text_too_long', `${lost.length} spans behind the 256th token`)
  } else {
    checkJoinedPhrases([...phrases], tokenStarts, dialect, say)
  }
}

function checkPhrase(region: Tree, dialect: OdvgDialect, say: Say, record: string): void {
  const { phrase } = region
  if (!('phrase' in region)) say('phrase_missing', 'no "phrase"', record)
  else if (typeof phrase === 'string') {
    if (phrase.trim() === '') say('phrase_blank', show(phrase), record)
  } else if (dialect !== 'mmdet') say('phrase_not_string', show(phrase), record)
}

function checkRegionBoxes(
  region: Tree,
  size: Size | undefined,
  dialect: OdvgDialect,
  say: Say,
  record: string,
): void {
  const { bbox } = region
  if (!('bbox' in region)) return say('bbox_missing', 'no "bbox"', record)
  if (!Array.isArray(bbox) || !Array.isArray(bbox[0])) return checkBox(bbox, size, say, record)
  if (dialect !== 'mmdet') return say('bbox_nested', `${bbox.length} boxes in one region`, record)
  for (const [index, box] of bbox.entries()) checkBox(box, size, say, `${record}.bbox[${index}]`)
}

/** @param bbox what should be [x1, y1, x2, y2] */
function checkBox(bbox: unknown, size: Size | undefined, say: Say, record: string): void {
  if (!isNumbers(bbox, 4)) return say('bbox_shape', show(bbox), record)
  const [x1, y1, x2, y2] = bbox as [number, number, number, number]
  const detail = size === undefined ? show(bbox) : `${show(bbox)} in ${size.width} x ${size.height}`
  if (!bbox.every(Number.isFinite)) return say('box_not_finite', `[${bbox.join(', ')}]`, record)
  if (x2 <= x1 || y2 <= y1) return say('box_reversed', detail, record)
  if (x2 - x1 < 1 || y2 - y1 < 1) return say('box_small', detail, record)
  if (size === undefined) return
  const { width, height } = size
  if (x1 >= width || y1 >= height || x2 <= 0 || y2 <= 0) return say('box_outside', detail, record)
  // Two decimals of rounding are no overhang.
  const slack = 0.01
  if (x1 < -slack || y1 < -slack || x2 > width + slack || y2 > height + slack) {
    say('box_over_edge', detail, record)
  }
}

type CodePointIndex = ReturnType<typeof codePointIndex>

/** A caption as stored and as mmdetection makes it: lower-cased and stripped, spans as they were. */
interface LoaderText {
  readonly stored: string
  readonly storedIndex: CodePointIndex
  readonly shown: string
  readonly shownIndex: CodePointIndex
  readonly shownLength: number
  readonly hasLeadingSpace: boolean
}

function loaderText(stored: string): LoaderText {
  const shown = pythonStrip(stored.toLowerCase())
  const shownIndex = codePointIndex(shown)
  return {
    stored,
    storedIndex: codePointIndex(stored),
    shown,
    shownIndex,
    shownLength: shownIndex.toCodePoint(shown.length),
    hasLeadingSpace: leadingSpace(stored) > 0,
  }
}

/** @returns where in the loader's text the region's spans begin, UTF-16 units */
function checkSpans(
  region: Tree,
  text: LoaderText | undefined,
  say: Say,
  record: string,
): number[] {
  const { tokens_positive: tokens, phrase } = region
  if (!('tokens_positive' in region)) {
    say('tokens_missing', 'no "tokens_positive"', record)
    return []
  }
  const isPair = (pair: unknown) => isNumbers(pair, 2) && pair.every(Number.isInteger)
  if (!Array.isArray(tokens) || tokens.length === 0 || !tokens.every(isPair)) {
    say('tokens_shape', show(tokens), record)
    return []
  }
  if (text === undefined) return []
  const spans = tokens as [number, number][]
  const { shown, shownIndex, shownLength } = text
  const isInside = spans.every(([start, end]) => start >= 0 && start < end && end <= shownLength)
  const found = isInside ? sliceBy(shown, spans, shownIndex.toUtf16) : undefined
  const named = typeof phrase === 'string' ? phrase : undefined
  if (found === undefined || (named !== undefined && !sameWords(found, named))) {
    const code =
      causeOf(text, spans, named) ?? (found === undefined ? 'span_outside' : 'span_not_phrase')
    say(code, `${show(tokens)} is ${show(found ?? 'outside')}, phrase ${show(phrase)}`, record)
    return []
  }
  return spans.map(([start]) => shownIndex.toUtf16(start))
}

/** Why spans that do not fit the loader's text do fit another reading of the caption. */
function causeOf(
  { stored, storedIndex, hasLeadingSpace }: LoaderText,
  spans: readonly [number, number][],
  phrase: string | undefined,
): OdvgCode | undefined {
  if (phrase === undefined) return undefined
  const inRange = spans.every(([start, end]) => start >= 0 && end <= stored.length)
  if (!inRange) return undefined
  const points = storedIndex.toCodePoint(stored.length)
  const fits = spans.every(([, end]) => end <= points)
  if (fits && sameWords(sliceBy(stored, spans, storedIndex.toUtf16), phrase)) {
    return hasLeadingSpace ? 'caption_outer_space' : 'caption_lower_length'
  }
  return sameWords(
    sliceBy(stored, spans, (index) => index),
    phrase,
  )
    ? 'span_utf16'
    : undefined
}

function sliceBy(
  text: string,
  spans: readonly [number, number][],
  toUtf16: (index: number) => number,
): string {
  return spans.map(([start, end]) => text.slice(toUtf16(start), toUtf16(end))).join(' ')
}

/** Equal but for case and white space: spans may be per word. */
function sameWords(a: string, b: string): boolean {
  const fold = (text: string) => text.toLowerCase().replace(/\s+/g, '')
  return fold(a) === fold(b)
}

/** The training text of Open-GroundingDino and TAO. */
function checkJoinedPhrases(
  phrases: readonly string[],
  tokenStarts: TokenStarts,
  dialect: OdvgDialect,
  say: Say,
): void {
  const count = tokenStarts(`${phrases.join(' . ')} .`).length
  if (count > MAX_TOKENS) say('text_too_long', `${phrases.length} phrases, ${count + 2} tokens`)
  if (dialect !== 'open-groundingdino') return
  for (const phrase of phrases) {
    if (phrase === '') continue
    const longer = phrases.find((other) => other !== phrase && other.includes(phrase))
    if (longer !== undefined) say('phrase_substring', `${show(phrase)} in ${show(longer)}`)
  }
}

function checkDetection(detection: Tree, size: Size | undefined, labels: Tree, say: Say): void {
  const { instances } = detection
  if (!Array.isArray(instances)) return say('regions_missing', show(instances), 'instances')
  for (const [index, instance] of (instances as unknown[]).entries()) {
    const record = `instances[${index}]`
    if (!isTree(instance) || !('bbox' in instance)) {
      say('bbox_missing', show(instance), record)
      continue
    }
    checkBox(instance['bbox'], size, say, record)
    const { label } = instance
    if (!Number.isInteger(label) && !(typeof label === 'string' && /^\d+$/.test(label))) {
      say('label_invalid', show(label), record)
    } else if (!(String(label) in labels)) {
      say('label_unknown', `label ${show(label)}`, record)
    }
  }
}

/** @returns the names by label; undefined if the map is none */
export function checkLabelMap(
  map: unknown,
  file: string,
  dialect: OdvgDialect,
  findings: Findings<OdvgCode>,
): Readonly<Record<string, unknown>> | undefined {
  const say = (code: OdvgCode, detail: string) => {
    findings.add(code, { file, detail } satisfies Place)
  }
  if (!isTree(map) || !Object.values(map).every((name) => typeof name === 'string')) {
    say('label_map_invalid', show(map))
    return undefined
  }
  const entries = Object.entries(map as Readonly<Record<string, string>>)
  for (const [key] of entries) if (!/^\d+$/.test(key)) say('label_map_keys', `key ${show(key)}`)
  if (!('0' in map) && entries.length > 0) say('label_map_keys', 'no key "0"')
  const all = `\n${entries.map(([, name]) => name).join('\n')}\n`
  for (const [key, name] of entries) {
    const isOdd =
      dialect === 'mmdet' ? /[/_]|\(.*\)/.test(name) : all.indexOf(name) !== all.lastIndexOf(name)
    if (isOdd) say('label_map_names', `${show(key)}: ${show(name)}`)
  }
  return map
}
