// What one ODVG record is to a loader: only what that loader reads can be wrong.

import type { OdvgDialect } from '../core/dialects.ts'
import { leadingSpace, pythonStrip } from '../core/python-text.ts'
import { codePointIndex } from '../core/span.ts'
import { show, type Spot } from './findings.ts'
import type { OdvgCode } from './odvg-rules.ts'
import { isNumbers, isSpan, isTree, sizeOf, type Size, type Tree } from './python-json.ts'
import type { TokenStarts } from './validator.ts'

/** How records are read. */
interface OdvgReading {
  readonly dialect: OdvgDialect
  readonly tokenStarts: TokenStarts
  /** Names by label; present: the file is read as detections. */
  readonly labels?: Tree | undefined
}

/** A record, or a part of one, and how it is read. */
interface Here extends OdvgReading {
  readonly spot: Spot<OdvgCode>
  /** Of the image; absent: boxes are not compared with it. */
  readonly size?: Size | undefined
}

function within(here: Here, place: string): Here {
  return { ...here, spot: here.spot.within(place) }
}

/** Of 256 tokens two are [CLS] and [SEP]. */
const MAX_TOKENS = 254

/** @param value a line, parsed */
export function checkRecord(value: unknown, here: Here): void {
  const { dialect, labels, spot } = here
  if (!isTree(value)) return spot.say('record_not_object', show(value))
  const nameKey = dialect === 'tao' ? 'file_name' : 'filename'
  if (typeof value[nameKey] !== 'string') {
    const other = dialect === 'tao' ? 'filename' : 'file_name'
    const but = other in value ? `, but "${other}"` : ''
    spot.say('filename_missing', `no "${nameKey}"${but}`)
  }
  // Open-GroundingDino opens the image and takes its size.
  const size = dialect === 'open-groundingdino' ? sizeOf(value) : checkSize(value, spot)
  const variant = labels === undefined ? 'grounding' : 'detection'
  const content = value[variant]
  if (!isTree(content)) {
    const other = labels === undefined ? 'detection' : 'grounding'
    spot.say('variant_missing', `no "${variant}"${other in value ? `, but "${other}"` : ''}`)
  } else if (labels === undefined) {
    checkGrounding(content, { ...here, size })
  } else {
    checkDetection(content, { ...here, size, labels })
  }
}

function checkSize(record: Tree, spot: Spot<OdvgCode>): Size | undefined {
  const missing = ['height', 'width'].filter((key) => !(key in record))
  const size = sizeOf(record)
  if (missing.length > 0) {
    spot.say('size_missing', `no ${missing.map((key) => `"${key}"`).join(', ')}`)
  } else if (size === undefined) {
    spot.say('size_invalid', `width ${show(record['width'])}, height ${show(record['height'])}`)
  }
  return size
}

function checkGrounding(grounding: Tree, here: Here): void {
  const { dialect, tokenStarts, spot } = here
  const { regions } = grounding
  // TAO's own merger writes "captions".
  const caption = grounding['caption'] ?? (dialect === 'tao' ? grounding['captions'] : undefined)
  const isCaptionRead = dialect !== 'open-groundingdino'
  if (isCaptionRead && typeof caption !== 'string') spot.say('caption_missing', show(caption))
  if (!Array.isArray(regions)) return spot.say('regions_missing', show(regions))
  if (regions.length === 0) spot.say('regions_empty', 'regions is []')
  const text = isCaptionRead && typeof caption === 'string' ? loaderText(caption) : undefined
  if (text !== undefined && text.shown.text.trim() === '') spot.say('caption_blank', show(caption))
  const phrases = new Set<string>()
  const spans: number[] = []
  for (const [index, region] of (regions as unknown[]).entries()) {
    const inside = within(here, `regions[${index}]`)
    if (!isTree(region)) {
      inside.spot.say('bbox_missing', show(region))
      continue
    }
    checkPhrase(region, inside)
    if (typeof region['phrase'] === 'string') phrases.add(region['phrase'])
    checkRegionBoxes(region, inside)
    if (dialect === 'mmdet') spans.push(...checkSpans(region, { text, ...inside }))
  }
  if (dialect === 'mmdet') {
    const cut = text === undefined ? undefined : tokenStarts(text.shown.text)[MAX_TOKENS]
    const lost = spans.filter((start) => start >= (cut ?? Infinity))
    if (lost.length > 0) spot.say('text_too_long', `${lost.length} spans behind the 256th token`)
  } else {
    checkJoinedPhrases([...phrases], here)
  }
}

function checkPhrase(region: Tree, { dialect, spot }: Here): void {
  const { phrase } = region
  if (!('phrase' in region)) spot.say('phrase_missing', 'no "phrase"')
  else if (typeof phrase === 'string') {
    if (phrase.trim() === '') spot.say('phrase_blank', show(phrase))
  } else if (dialect !== 'mmdet') spot.say('phrase_not_string', show(phrase))
}

function checkRegionBoxes(region: Tree, here: Here): void {
  const { dialect, spot } = here
  const { bbox } = region
  if (!('bbox' in region)) return spot.say('bbox_missing', 'no "bbox"')
  if (!Array.isArray(bbox) || !Array.isArray(bbox[0])) return checkBox(bbox, here)
  if (dialect !== 'mmdet') return spot.say('bbox_nested', `${bbox.length} boxes in one region`)
  for (const [index, box] of bbox.entries()) checkBox(box, within(here, `.bbox[${index}]`))
}

/** @param bbox what should be [x1, y1, x2, y2] */
function checkBox(bbox: unknown, { spot, size }: Here): void {
  if (!isNumbers(bbox, 4)) return spot.say('bbox_shape', show(bbox))
  const [x1, y1, x2, y2] = bbox as [number, number, number, number]
  const detail = size === undefined ? show(bbox) : `${show(bbox)} in ${size.width} x ${size.height}`
  if (!bbox.every(Number.isFinite)) return spot.say('box_not_finite', `[${bbox.join(', ')}]`)
  if (x2 <= x1 || y2 <= y1) return spot.say('box_reversed', detail)
  if (x2 - x1 < 1 || y2 - y1 < 1) return spot.say('box_small', detail)
  if (size === undefined) return
  const { width, height } = size
  if (x1 >= width || y1 >= height || x2 <= 0 || y2 <= 0) return spot.say('box_outside', detail)
  // Two decimals of rounding are no overhang.
  const slack = 0.01
  if (x1 < -slack || y1 < -slack || x2 > width + slack || y2 > height + slack) {
    spot.say('box_over_edge', detail)
  }
}

/** A text with what spans count in it. */
interface IndexedText {
  readonly text: string
  /** Code points. */
  readonly length: number
  readonly toUtf16: (index: number) => number
}

function indexed(text: string): IndexedText {
  const { toCodePoint, toUtf16 } = codePointIndex(text)
  return { text, length: toCodePoint(text.length), toUtf16 }
}

/** A caption as stored and as mmdetection makes it: lower-cased and stripped, spans as they were. */
interface LoaderText {
  readonly stored: IndexedText
  readonly shown: IndexedText
}

function loaderText(stored: string): LoaderText {
  return { stored: indexed(stored), shown: indexed(pythonStrip(stored.toLowerCase())) }
}

type Spans = readonly (readonly [number, number])[]

/** @returns where in the loader's text the region's spans begin, UTF-16 units */
function checkSpans(
  region: Tree,
  { text, spot }: Here & { readonly text: LoaderText | undefined },
): number[] {
  const { tokens_positive: spans, phrase } = region
  if (!('tokens_positive' in region)) {
    spot.say('tokens_missing', 'no "tokens_positive"')
    return []
  }
  if (!Array.isArray(spans) || spans.length === 0 || !spans.every(isSpan)) {
    spot.say('tokens_shape', show(spans))
    return []
  }
  if (text === undefined) return []
  const { shown } = text
  const isInside = spans.every(([start, end]) => start >= 0 && start < end && end <= shown.length)
  const found = isInside ? slicesOf(shown, spans) : undefined
  const isNamed = typeof phrase === 'string'
  if (found === undefined || (isNamed && !sameWords(found, phrase))) {
    const cause = isNamed ? causeOf(text, { spans, phrase }) : undefined
    const code = cause ?? (found === undefined ? 'span_outside' : 'span_not_phrase')
    spot.say(code, `${show(spans)} is ${show(found ?? 'outside')}, phrase ${show(phrase)}`)
    return []
  }
  return spans.map(([start]) => shown.toUtf16(start))
}

/** Why spans that do not fit the loader's text do fit another reading of the caption. */
function causeOf(
  { stored }: LoaderText,
  { spans, phrase }: { readonly spans: Spans; readonly phrase: string },
): OdvgCode | undefined {
  const { text, length } = stored
  if (!spans.every(([start, end]) => start >= 0 && end <= text.length)) return undefined
  if (spans.every(([, end]) => end <= length) && sameWords(slicesOf(stored, spans), phrase)) {
    return leadingSpace(text) > 0 ? 'caption_outer_space' : 'caption_lower_length'
  }
  const inUtf16 = slicesOf({ text, toUtf16: (index) => index }, spans)
  return sameWords(inUtf16, phrase) ? 'span_utf16' : undefined
}

function slicesOf({ text, toUtf16 }: Omit<IndexedText, 'length'>, spans: Spans): string {
  return spans.map(([start, end]) => text.slice(toUtf16(start), toUtf16(end))).join(' ')
}

/** Equal but for case and white space: spans may be per word. */
function sameWords(a: string, b: string): boolean {
  const fold = (text: string) => text.toLowerCase().replace(/\s+/g, '')
  return fold(a) === fold(b)
}

/** The training text of Open-GroundingDino and TAO. */
function checkJoinedPhrases(phrases: readonly string[], here: Here): void {
  const { dialect, tokenStarts, spot } = here
  const count = tokenStarts(`${phrases.join(' . ')} .`).length
  if (count > MAX_TOKENS) {
    spot.say('text_too_long', `${phrases.length} phrases, ${count + 2} tokens`)
  }
  if (dialect !== 'open-groundingdino') return
  for (const phrase of phrases) {
    if (phrase === '') continue
    const longer = phrases.find((other) => other !== phrase && other.includes(phrase))
    if (longer !== undefined) spot.say('phrase_substring', `${show(phrase)} in ${show(longer)}`)
  }
}

function checkDetection({ instances }: Tree, here: Here & { readonly labels: Tree }): void {
  if (!Array.isArray(instances)) {
    return here.spot.within('instances').say('regions_missing', show(instances))
  }
  for (const [index, instance] of (instances as unknown[]).entries()) {
    const inside = within(here, `instances[${index}]`)
    if (!isTree(instance) || !('bbox' in instance)) {
      inside.spot.say('bbox_missing', show(instance))
      continue
    }
    checkBox(instance['bbox'], inside)
    const { label } = instance
    if (!Number.isInteger(label) && !(typeof label === 'string' && /^\d+$/.test(label))) {
      inside.spot.say('label_invalid', show(label))
    } else if (!(String(label) in here.labels)) {
      inside.spot.say('label_unknown', `label ${show(label)}`)
    }
  }
}
