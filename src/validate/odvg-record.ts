// What one ODVG record is to a loader: only what that loader reads can be wrong.

import type { OdvgDialect } from '../core/dialects.ts'
import { leadingSpace, pythonStrip } from '../core/python-text.ts'
import { codePointIndex } from '../core/span.ts'
import { show, within, type Say as FileSay } from './findings.ts'
import type { OdvgCode } from './odvg-rules.ts'
import { isNumbers, isSpan, isTree, sizeOf, type Size, type Tree } from './python-json.ts'
import type { TokenStarts } from './validator.ts'

/** How records are read. */
export interface OdvgReading {
  readonly dialect: OdvgDialect
  readonly tokenStarts: TokenStarts
  /** Names by label; present: the file is read as detections. */
  readonly labels?: Tree
}

/** Of 256 tokens two are [CLS] and [SEP]. */
const MAX_TOKENS = 254

type Say = FileSay<OdvgCode>

/** @param value a line, parsed */
export function checkRecord(value: unknown, reading: OdvgReading, say: Say): void {
  const { dialect, labels } = reading
  if (!isTree(value)) return say('record_not_object', show(value))
  const nameKey = dialect === 'tao' ? 'file_name' : 'filename'
  if (typeof value[nameKey] !== 'string') {
    const other = dialect === 'tao' ? 'filename' : 'file_name'
    say('filename_missing', other in value ? `no "${nameKey}", but "${other}"` : `no "${nameKey}"`)
  }
  // Open-GroundingDino opens the image and takes its size.
  const size = dialect === 'open-groundingdino' ? sizeOf(value) : checkSize(value, say)
  const variant = labels === undefined ? 'grounding' : 'detection'
  const content = value[variant]
  if (!isTree(content)) {
    const other = labels === undefined ? 'detection' : 'grounding'
    say('variant_missing', `no "${variant}"${other in value ? `, but "${other}"` : ''}`)
  } else if (labels === undefined) {
    checkGrounding(content, size, reading, say)
  } else {
    checkDetection(content, size, labels, say)
  }
}

function checkSize(record: Tree, say: Say): Size | undefined {
  const missing = ['height', 'width'].filter((key) => !(key in record))
  if (missing.length > 0) say('size_missing', `no ${missing.map((key) => `"${key}"`).join(', ')}`)
  const size = sizeOf(record)
  if (missing.length === 0 && size === undefined) {
    say('size_invalid', `width ${show(record['width'])}, height ${show(record['height'])}`)
  }
  return size
}

function checkGrounding(
  grounding: Tree,
  size: Size | undefined,
  { dialect, tokenStarts }: OdvgReading,
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
    const sayHere = within(`regions[${index}]`, say)
    if (!isTree(region)) {
      sayHere('bbox_missing', show(region))
      continue
    }
    checkPhrase(region, dialect, sayHere)
    if (typeof region['phrase'] === 'string') phrases.add(region['phrase'])
    checkRegionBoxes(region, size, dialect, sayHere)
    if (dialect === 'mmdet') spans.push(...checkSpans(region, text, sayHere))
  }
  if (dialect === 'mmdet') {
    const cut = text === undefined ? undefined : tokenStarts(text.shown)[MAX_TOKENS]
    const lost = spans.filter((start) => start >= (cut ?? Infinity))
    if (lost.length > 0) say('text_too_long', `${lost.length} spans behind the 256th token`)
  } else {
    checkJoinedPhrases([...phrases], tokenStarts, dialect, say)
  }
}

function checkPhrase(region: Tree, dialect: OdvgDialect, say: Say): void {
  const { phrase } = region
  if (!('phrase' in region)) say('phrase_missing', 'no "phrase"')
  else if (typeof phrase === 'string') {
    if (phrase.trim() === '') say('phrase_blank', show(phrase))
  } else if (dialect !== 'mmdet') say('phrase_not_string', show(phrase))
}

function checkRegionBoxes(
  region: Tree,
  size: Size | undefined,
  dialect: OdvgDialect,
  say: Say,
): void {
  const { bbox } = region
  if (!('bbox' in region)) return say('bbox_missing', 'no "bbox"')
  if (!Array.isArray(bbox) || !Array.isArray(bbox[0])) return checkBox(bbox, size, say)
  if (dialect !== 'mmdet') return say('bbox_nested', `${bbox.length} boxes in one region`)
  for (const [index, box] of bbox.entries()) checkBox(box, size, within(`.bbox[${index}]`, say))
}

/** @param bbox what should be [x1, y1, x2, y2] */
function checkBox(bbox: unknown, size: Size | undefined, say: Say): void {
  if (!isNumbers(bbox, 4)) return say('bbox_shape', show(bbox))
  const [x1, y1, x2, y2] = bbox as [number, number, number, number]
  const detail = size === undefined ? show(bbox) : `${show(bbox)} in ${size.width} x ${size.height}`
  if (!bbox.every(Number.isFinite)) return say('box_not_finite', `[${bbox.join(', ')}]`)
  if (x2 <= x1 || y2 <= y1) return say('box_reversed', detail)
  if (x2 - x1 < 1 || y2 - y1 < 1) return say('box_small', detail)
  if (size === undefined) return
  const { width, height } = size
  if (x1 >= width || y1 >= height || x2 <= 0 || y2 <= 0) return say('box_outside', detail)
  // Two decimals of rounding are no overhang.
  const slack = 0.01
  if (x1 < -slack || y1 < -slack || x2 > width + slack || y2 > height + slack) {
    say('box_over_edge', detail)
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
function checkSpans(region: Tree, text: LoaderText | undefined, say: Say): number[] {
  const { tokens_positive: spans, phrase } = region
  if (!('tokens_positive' in region)) {
    say('tokens_missing', 'no "tokens_positive"')
    return []
  }
  if (!Array.isArray(spans) || spans.length === 0 || !spans.every(isSpan)) {
    say('tokens_shape', show(spans))
    return []
  }
  if (text === undefined) return []
  const { shown, shownIndex, shownLength } = text
  const isInside = spans.every(([start, end]) => start >= 0 && start < end && end <= shownLength)
  const found = isInside ? sliceBy(shown, spans, shownIndex.toUtf16) : undefined
  const named = typeof phrase === 'string' ? phrase : undefined
  if (found === undefined || (named !== undefined && !sameWords(found, named))) {
    const code =
      causeOf(text, spans, named) ?? (found === undefined ? 'span_outside' : 'span_not_phrase')
    say(code, `${show(spans)} is ${show(found ?? 'outside')}, phrase ${show(phrase)}`)
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
    const sayHere = within(`instances[${index}]`, say)
    if (!isTree(instance) || !('bbox' in instance)) {
      sayHere('bbox_missing', show(instance))
      continue
    }
    checkBox(instance['bbox'], size, sayHere)
    const { label } = instance
    if (!Number.isInteger(label) && !(typeof label === 'string' && /^\d+$/.test(label))) {
      sayHere('label_invalid', show(label))
    } else if (!(String(label) in labels)) {
      sayHere('label_unknown', `label ${show(label)}`)
    }
  }
}
