// Checks one COCO file. The whole file is in memory, as it is for every reader of the format.

import fs from 'node:fs/promises'
import path from 'node:path'
import { InputError, messageOf } from '../core/errors.ts'
import { codePointIndex } from '../core/span.ts'
import { COCO_RULES, type CocoCode } from './coco-rules.ts'
import { FileFindings, show, Spot } from './findings.ts'
import { isJsonLinesName } from './json-lines.ts'
import { isNumbers, isSpan, isTree, parsePythonJson, sizeOf, type Tree } from './python-json.ts'
import type { CheckedFiles, Validator, ValidatorInput } from './validator.ts'

/** Memory: one whole file. */
export const cocoValidator: Validator = {
  ending: '.json',
  isAnnotationFile: (name) => name.endsWith('.json') && !isJsonLinesName(name),
  options: [],
  check: checkCoco,
}

async function checkCoco({ root, files }: ValidatorInput): Promise<CheckedFiles> {
  const findings = new FileFindings(COCO_RULES)
  const facts: FileFacts[] = []
  for (const file of files) {
    const spot = new Spot(findings, { file })
    const data = await readDataset(path.join(root, file), spot)
    if (data !== undefined) facts.push({ file, ...checkDataset(data, spot) })
  }
  checkTogether(facts, findings)
  return {
    records: facts.reduce((sum, { images }) => sum + images, 0),
    findings: findings.list(),
  }
}

/** What must fit between the files of a folder. */
interface FileFacts {
  readonly file: string
  readonly images: number
  /** Of annotations; undefined if it has none. */
  readonly ids: { readonly min: number; readonly max: number } | undefined
  /** As JSON; undefined if the file has none. */
  readonly categories: string | undefined
}

/** A string of this many bytes is the longest that the JavaScript engine has. */
const MAX_BYTES = 512 * 1024 * 1024

type CocoSpot = Spot<CocoCode>

function checkDataset(data: Tree, spot: CocoSpot): Omit<FileFacts, 'file'> {
  if (!('info' in data)) spot.say('info_missing', 'no "info"')
  if (!('licenses' in data)) spot.say('licenses_missing', 'no "licenses"')
  /** Undefined if there is no such list. */
  const entriesOf = (section: string): Tree[] | undefined => {
    const entries = data[section]
    if (!Array.isArray(entries)) {
      const why = section in data ? `${section} is no list` : `no "${section}"`
      spot.say('section_missing', why)
      return undefined
    }
    return (entries as unknown[]).flatMap((entry, index) => {
      if (isTree(entry)) return [entry]
      spot.within(`${section}[${index}]`).say('entry_not_object', show(entry))
      return []
    })
  }
  const images = entriesOf('images')
  const annotations = entriesOf('annotations')
  const categories = entriesOf('categories')
  if (images?.length === 0) spot.say('no_images', 'images is []')
  else if (annotations?.length === 0) spot.say('no_annotations', 'annotations is []')
  // Of a section that is missing nothing more is said.
  const categoryIds = categories && checkCategories(categories, spot)
  const imageById = images && checkImages(images, spot)
  checkAnnotations({ annotations: annotations ?? [], imageById, categoryIds }, spot)
  return {
    images: images?.length ?? 0,
    ids: rangeOf(annotations ?? []),
    categories: JSON.stringify(categories?.map(({ id, name }) => [id, name])),
  }
}

/**
 * @returns undefined if the file could not be read as a data set
 * @throws InputError for a file that is too large to be checked
 */
async function readDataset(file: string, spot: CocoSpot): Promise<Tree | undefined> {
  const { size } = await fs.stat(file)
  if (size > MAX_BYTES) {
    throw new InputError(
      `${file}: ${Math.round(size / 2 ** 20)} MB; one JSON can be checked up to 512 MB. Export with ` +
        '--set export.layout=sharded and validate the folder',
    )
  }
  let text: string
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    text = decoder.decode(await fs.readFile(file))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    spot.say('utf8_invalid', messageOf(error))
    return undefined
  }
  if (text.startsWith('\ufeff')) {
    spot.say('file_bom', 'U+FEFF at the start')
    return undefined
  }
  let data: unknown
  try {
    data = parsePythonJson(text)
  } catch (error) {
    spot.say('json_invalid', messageOf(error))
    return undefined
  }
  if (isTree(data)) return data
  spot.say('not_a_dataset', Array.isArray(data) ? `a list of ${data.length}` : show(data))
  return undefined
}

/** Says what is wrong with an id; true if it can be looked up. */
function checkId(id: unknown, spot: CocoSpot): boolean {
  if (Number.isSafeInteger(id)) return true
  if (typeof id === 'string') spot.say('id_string', show(id))
  else spot.say('id_not_integer', show(id))
  return typeof id === 'string'
}

function checkCategories(categories: readonly Tree[], spot: CocoSpot): Set<unknown> {
  const ids = new Set<unknown>()
  const names = new Map<string, string>()
  for (const [index, category] of categories.entries()) {
    const here = spot.within(`categories[${index}]`)
    const { id, name } = category
    for (const key of ['id', 'name']) {
      if (!(key in category)) here.say('category_key_missing', `no "${key}"`)
    }
    if ('id' in category && checkId(id, here)) {
      if (id === 0) here.say('category_id_zero', 'id 0')
      if (ids.has(id)) here.say('category_id_duplicate', `id ${show(id)}`)
      ids.add(id)
    }
    if (typeof name !== 'string') continue
    const other = names.get(name.toLowerCase())
    if (other === name) here.say('category_name_duplicate', show(name))
    else if (other !== undefined) here.say('category_name_case', `${show(other)}, ${show(name)}`)
    names.set(name.toLowerCase(), name)
  }
  return ids
}

function checkImages(images: readonly Tree[], spot: CocoSpot): Map<unknown, Tree> {
  const byId = new Map<unknown, Tree>()
  for (const [index, image] of images.entries()) {
    const place = 'id' in image ? `image ${show(image['id'])}` : `images[${index}]`
    const here = spot.within(place)
    const missing = ['id', 'file_name', 'width', 'height'].filter((key) => !(key in image))
    if (missing.length > 0) here.say('image_key_missing', `no ${missing.join(', ')}`)
    const { id, width, height } = image
    if ('width' in image && 'height' in image && sizeOf(image) === undefined) {
      here.say('image_size_invalid', `width ${show(width)}, height ${show(height)}`)
    }
    if (!('id' in image) || !checkId(id, here)) continue
    if (byId.has(id)) here.say('image_id_duplicate', `id ${show(id)}`)
    byId.set(id, image)
  }
  return byId
}

const ANNOTATION_KEYS = ['id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd']

/** The annotations of a file, and what they may refer to; undefined: that section is missing. */
interface Annotations {
  readonly annotations: readonly Tree[]
  readonly imageById: ReadonlyMap<unknown, Tree> | undefined
  readonly categoryIds: ReadonlySet<unknown> | undefined
}

function checkAnnotations(
  { annotations, imageById, categoryIds }: Annotations,
  spot: CocoSpot,
): void {
  const ids = new Set<unknown>()
  const boxes = new Set<string>()
  for (const [index, annotation] of annotations.entries()) {
    const { id, image_id: imageId, category_id: categoryId, bbox } = annotation
    const place = 'id' in annotation ? `annotation ${show(id)}` : `annotations[${index}]`
    const here = spot.within(place)
    const missing = ANNOTATION_KEYS.filter((key) => !(key in annotation))
    if (missing.length > 0) here.say('annotation_key_missing', `no ${missing.join(', ')}`)
    if ('id' in annotation && checkId(id, here)) {
      if (id === 0) here.say('annotation_id_zero', 'id 0')
      if (ids.has(id)) here.say('annotation_id_duplicate', `id ${show(id)}`)
      ids.add(id)
    }
    const image = imageById?.get(imageId)
    if ('image_id' in annotation && imageById?.has(imageId) === false) {
      here.say('image_id_unresolved', `image_id ${show(imageId)}`)
    }
    if ('category_id' in annotation && categoryIds?.has(categoryId) === false) {
      here.say('category_id_unresolved', `category_id ${show(categoryId)}`)
    }
    if ('bbox' in annotation) {
      checkBox({ annotation, image }, here)
      const box = JSON.stringify([imageId, categoryId, bbox])
      if (boxes.has(box)) here.say('box_duplicate', show(bbox))
      boxes.add(box)
    }
    if (annotation['iscrowd'] === 1) here.say('iscrowd_set', 'iscrowd 1')
    checkSpans({ annotation, image }, here)
  }
}

/** An annotation and its image, if there is one. */
interface Annotated {
  readonly annotation: Tree
  readonly image: Tree | undefined
}

function checkBox({ annotation, image }: Annotated, spot: CocoSpot): void {
  const { bbox, area } = annotation
  if (!isNumbers(bbox, 4)) return spot.say('bbox_shape', show(bbox))
  const [x, y, w, h] = bbox as [number, number, number, number]
  if (!bbox.every(Number.isFinite)) return spot.say('box_not_finite', `[${bbox.join(', ')}]`)
  if (w <= 0 || h <= 0) return spot.say('box_empty', show(bbox))
  if (typeof area === 'number' && area <= 0) spot.say('area_zero', `area ${area}`)
  else if (
    typeof area === 'number' &&
    !('segmentation' in annotation) &&
    Math.abs(area - w * h) > 0.01 * w * h + 0.1
  ) {
    spot.say('area_mismatch', `area ${area}, bbox ${show(bbox)}`)
  }
  if (w < 1 || h < 1) return spot.say('box_small', show(bbox))
  const size = image === undefined ? undefined : sizeOf(image)
  if (size === undefined) return
  const { width, height } = size
  const detail = `${show(bbox)} in ${width} x ${height}`
  // Two decimals of rounding are no overhang.
  const slack = 0.02
  if (x >= width || y >= height || x + w <= 0 || y + h <= 0) spot.say('box_outside', detail)
  else if (x < -slack || y < -slack || x + w > width + slack || y + h > height + slack) {
    const isXyxy = w > x && h > y && w <= width && h <= height
    spot.say('box_over_edge', isXyxy ? `${detail}; it may be [x1, y1, x2, y2]` : detail)
  }
}

/** Spans into the image's caption, as grounding readers of this layout use them. */
function checkSpans({ annotation, image }: Annotated, spot: CocoSpot): void {
  if (!('tokens_positive' in annotation)) return
  const { tokens_positive: tokens } = annotation
  if (!Array.isArray(tokens) || !tokens.every(isSpan)) {
    return spot.say('tokens_shape', show(tokens))
  }
  const caption = image?.['caption']
  if (typeof caption !== 'string') return
  const length = codePointIndex(caption).toCodePoint(caption.length)
  const isInside = ([start, end]: [number, number]) => start >= 0 && start < end && end <= length
  if (tokens.length === 0 || !tokens.every(isInside)) {
    spot.say('span_outside', `${show(tokens)} in ${length} code points`)
  }
}

function rangeOf(annotations: readonly Tree[]): FileFacts['ids'] {
  let range: { min: number; max: number } | undefined
  for (const { id } of annotations) {
    if (typeof id !== 'number') continue
    range ??= { min: id, max: id }
    range.min = Math.min(range.min, id)
    range.max = Math.max(range.max, id)
  }
  return range
}

/** What only the files of a folder together can have wrong. */
function checkTogether(files: readonly FileFacts[], findings: FileFindings<CocoCode>): void {
  const [first, ...others] = files
  for (const { file, categories } of others) {
    if (categories === first!.categories) continue
    findings.add('categories_differ', { file, detail: `not those of ${first!.file}` })
  }
  const sorted = files
    .flatMap(({ file, ids }) => (ids === undefined ? [] : [{ file, ...ids }]))
    .sort((a, b) => a.min - b.min)
  for (const [index, { file, min, max }] of sorted.entries()) {
    const before = sorted[index - 1]
    if (before === undefined || min > before.max) continue
    const detail = `annotations ${min} to ${max}, ${before.file} up to ${before.max}`
    findings.add('ids_overlap', { file, detail })
  }
}
