// From the graph's outputs to candidates, as GLIP's reference does it on a GPU (glip.md sections 6, 7).
// Inside, boxes follow GLIP's pixel-index convention, in which a box ends at the last pixel it holds
// (width is x2 - x1 + 1); `toImage` turns them into edges of the stored image.

import type { Candidate, Size } from '../../core/types.ts'

/** What the graph says about one prompt on one image; N positions, level by level, each row-major. */
export interface GraphOutputs {
  /** Mean token probability, shape (N, phraseCount). */
  readonly phraseProb: Float32Array
  /** Columns of `phraseProb`; the last ones may be padding, all 0. */
  readonly phraseCount: number
  /** Deltas dx, dy, dw, dh on the anchors, shape (N, 4). */
  readonly boxReg: Float32Array
  /** Logits, shape (N). */
  readonly centerness: Float32Array
}

/** How outputs become boxes; px are those of the resized image. */
export interface DetectOptions {
  /** One square anchor per position: px between positions and px of its side, per level, finest first. */
  readonly anchors: { readonly strides: readonly number[]; readonly sizes: readonly number[] }
  readonly boxWeights: readonly [number, number, number, number]
  /** Probability of a phrase, before centerness, above which a position is a candidate. */
  readonly candidateScore: number
  /** Candidates kept per level, over all phrases. */
  readonly preNms: number
  /** A box above this IoU with a better one of the same phrase goes. */
  readonly nmsIou: number
  /** Boxes kept, 0 for all; ties with the last one stay. */
  readonly maxBoxes: number
}

/** Outputs of one prompt on one image, and what they are about. */
export interface DetectRequest {
  readonly outputs: GraphOutputs
  /** Of the graph's input. */
  readonly padded: Size
  /** Of the picture inside it. */
  readonly resized: Size
  /** Of the stored image. */
  readonly original: Size
  /** Index of the sample's phrase for each phrase of the prompt. */
  readonly phrases: readonly number[]
  readonly options: DetectOptions
}

/** A box in pixel indices of the resized image. */
export interface Detection {
  /** Column of `phraseProb`. */
  readonly phrase: number
  /** [0, 1]: sqrt(phrase probability x centerness). */
  readonly score: number
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** Levels that the backbone gives; each further one is a convolution of stride 2 on the one before. */
const BACKBONE_LEVELS = 3
/** ln(1000 / 16): larger log sizes are cut off. */
const MAX_LOG_SIZE = Math.log(1000 / 16)

/** Grid of each level for a padded image. */
export function levelSizes(padded: Size, strides: readonly number[]): Size[] {
  const sizes: Size[] = []
  strides.forEach((stride, level) => {
    const finer = sizes[level - 1]
    sizes.push(
      finer === undefined || level < BACKBONE_LEVELS
        ? { width: padded.width / stride, height: padded.height / stride }
        : { width: Math.ceil(finer.width / 2), height: Math.ceil(finer.height / 2) },
    )
  })
  return sizes
}

/**
 * Boxes of one prompt on one image: candidates above the floor, the best of each level, NMS within each
 * phrase, the best of all.
 *
 * @returns by score descending; equal scores by position in the graph's outputs
 * @throws RangeError if the outputs do not belong to this size or hold a value that is not a number
 */
export function detect(
  request: Pick<DetectRequest, 'outputs' | 'padded' | 'resized' | 'options'>,
): Detection[] {
  const { outputs, padded, options } = request
  const { phraseProb, phraseCount, centerness, boxReg } = outputs
  const levels = levelSizes(padded, options.anchors.strides)
  const positions = levels.reduce((sum, { width, height }) => sum + width * height, 0)
  if (
    centerness.length !== positions ||
    boxReg.length !== positions * 4 ||
    phraseProb.length !== positions * phraseCount
  ) {
    throw new RangeError(
      `an input of ${padded.width}x${padded.height} px has ${positions} positions, but the model gave ` +
        `${centerness.length} centerness values, ${boxReg.length} deltas and ` +
        `${phraseProb.length} probabilities for ${phraseCount} phrases`,
    )
  }
  let start = 0
  const found = levels.map(({ width, height }, number): Found => {
    const level = { number, first: start, end: start + width * height, gridWidth: width }
    start = level.end
    return { ...level, ...bestOfLevel(outputs, level, options) }
  })
  return suppress(decodeInOrder(found, request), options)
}

interface Level {
  /** 0 for the finest. */
  readonly number: number
  /** Its positions are [first, end). */
  readonly first: number
  readonly end: number
  readonly gridWidth: number
}

/** The candidates of a level, not decoded yet. */
interface Found extends Level, Ranked {}

/** Pairs of position and phrase with their rank, probability x centerness. */
interface Ranked {
  /** Into `phraseProb`, ascending. */
  readonly indices: Int32Array
  readonly ranks: Float32Array
  readonly length: number
}

/**
 * A level's best candidates; equal ranks in order of the outputs. Holds at most twice as many as are kept:
 * when that is full, the best half stays and its last rank becomes the floor.
 */
function bestOfLevel(
  { phraseProb, phraseCount, centerness }: GraphOutputs,
  { first, end }: Level,
  { candidateScore, preNms }: DetectOptions,
): Ranked {
  const capacity = Math.min(preNms * 2, (end - first) * phraseCount)
  const indices = new Int32Array(capacity)
  const ranks = new Float32Array(capacity)
  let length = 0
  let floor = Math.fround(candidateScore)
  for (let position = first; position < end; position++) {
    let centerProb = -1
    const from = position * phraseCount
    for (let i = from; i < from + phraseCount; i++) {
      const prob = phraseProb[i]!
      // One comparison for the many below the floor (a rank is never above its probability), and NaN
      // must not pass for one of them.
      if (prob <= floor) continue
      if (centerProb < 0) centerProb = sigmoid(centerness[position]!)
      const rank = Math.fround(prob * centerProb)
      if (Number.isNaN(rank)) throw new RangeError('the model gave a score that is not a number')
      if (length === capacity) {
        floor = Math.max(floor, keepBest(indices, ranks, length, preNms))
        length = preNms
        if (rank <= floor) continue
      }
      indices[length] = i
      ranks[length] = rank
      length++
    }
  }
  if (length <= preNms) return { indices, ranks, length }
  keepBest(indices, ranks, length, preNms)
  return { indices, ranks, length: preNms }
}

/**
 * Moves the `count` best to the front, in their order.
 *
 * @returns the lowest rank among them
 */
function keepBest(indices: Int32Array, ranks: Float32Array, length: number, count: number): number {
  const cut = kthLargest(ranks.slice(0, length), count)
  let ties = count
  for (let i = 0; i < length; i++) if (ranks[i]! > cut) ties--
  let to = 0
  for (let i = 0; i < length; i++) {
    const rank = ranks[i]!
    if (rank < cut || (rank === cut && ties-- <= 0)) continue
    indices[to] = indices[i]!
    ranks[to] = rank
    to++
  }
  return cut
}

function sigmoid(x: number): number {
  return Math.fround(1 / (1 + Math.exp(-x)))
}

/** Quickselect; reorders `values`. */
function kthLargest(values: Float32Array, k: number): number {
  let low = 0
  let high = values.length - 1
  const target = k - 1
  while (low < high) {
    const pivot = values[(low + high) >> 1]!
    let left = low
    let right = high
    while (left <= right) {
      while (values[left]! > pivot) left++
      while (values[right]! < pivot) right--
      if (left <= right) {
        const swap = values[left]!
        values[left++] = values[right]!
        values[right--] = swap
      }
    }
    if (target <= right) high = right
    else if (target >= left) low = left
    else break
  }
  return values[target]!
}

/**
 * Greedy NMS in one walk from the best score down. Boxes of different phrases never meet, so the walk may
 * end when enough are kept: what it has not reached scores lower.
 *
 * @param boxes by score descending; read no further than needed
 */
export function suppress(
  boxes: Iterable<Detection>,
  { nmsIou, maxBoxes }: Pick<DetectOptions, 'nmsIou' | 'maxBoxes'>,
): Detection[] {
  const limit = maxBoxes === 0 ? Infinity : maxBoxes
  const iou = Math.fround(nmsIou)
  const kept: Detection[] = []
  const keptOfPhrase = new Map<number, Detection[]>()
  for (const box of boxes) {
    if (kept.length >= limit && box.score < kept[limit - 1]!.score) break
    const rivals = keptOfPhrase.get(box.phrase)
    if (rivals?.some((better) => iouOfIndices(better, box) > iou)) continue
    kept.push(box)
    if (rivals === undefined) keptOfPhrase.set(box.phrase, [box])
    else rivals.push(box)
  }
  return kept
}

/** By score descending; equal scores by position in the outputs. */
function* decodeInOrder(
  found: readonly Found[],
  { outputs, resized, options }: Pick<DetectRequest, 'outputs' | 'resized' | 'options'>,
): Generator<Detection> {
  const count = found.reduce((sum, { length }) => sum + length, 0)
  const scores = new Float32Array(count)
  const indices = new Int32Array(count)
  const levels = new Uint8Array(count)
  let to = 0
  for (const level of found) {
    for (let i = 0; i < level.length; i++, to++) {
      scores[to] = Math.sqrt(level.ranks[i]!)
      indices[to] = level.indices[i]!
      levels[to] = level.number
    }
  }
  const { boxReg, phraseCount } = outputs
  const { anchors, boxWeights } = options
  // Numbers in typed arrays, because objects with a score take four times as long to sort.
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b)
  for (const i of order) {
    const { number, first, gridWidth } = found[levels[i]!]!
    const position = Math.floor(indices[i]! / phraseCount)
    const stride = anchors.strides[number]!
    const column = (position - first) % gridWidth
    const row = Math.floor((position - first) / gridWidth)
    const anchor = {
      x: column * stride + (stride - 1) / 2,
      y: row * stride + (stride - 1) / 2,
      size: anchors.sizes[number]!,
    }
    const deltas = boxReg.subarray(position * 4, position * 4 + 4)
    const [x1, y1, x2, y2] = decodeBox(deltas, anchor, boxWeights)
    if (Number.isNaN(x1 + y1 + x2 + y2)) {
      throw new RangeError('the model gave a box that is not a number')
    }
    yield {
      phrase: indices[i]! % phraseCount,
      score: scores[i]!,
      x1: clip(x1, resized.width - 1),
      y1: clip(y1, resized.height - 1),
      x2: clip(x2, resized.width - 1),
      y2: clip(y2, resized.height - 1),
    }
  }
}

function clip(value: number, last: number): number {
  return Math.fround(Math.min(Math.max(value, 0), last))
}

/**
 * Deltas on a square anchor around a centre; `size` counts both end pixels.
 *
 * @returns x1, y1, x2, y2 in pixel indices, not clipped
 */
export function decodeBox(
  deltas: ArrayLike<number>,
  {
    x: centerX,
    y: centerY,
    size,
  }: { readonly x: number; readonly y: number; readonly size: number },
  weights: DetectOptions['boxWeights'],
): readonly [number, number, number, number] {
  const x = (deltas[0]! / weights[0]) * size + centerX
  const y = (deltas[1]! / weights[1]) * size + centerY
  const halfWidth = 0.5 * (Math.exp(Math.min(deltas[2]! / weights[2], MAX_LOG_SIZE)) * size - 1)
  const halfHeight = 0.5 * (Math.exp(Math.min(deltas[3]! / weights[3], MAX_LOG_SIZE)) * size - 1)
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight]
}

/** Both boxes count their last pixel. */
function iouOfIndices(a: Detection, b: Detection): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1) + 1
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1) + 1
  if (width <= 0 || height <= 0) return 0
  const intersection = width * height
  return intersection / (areaOfIndices(a) + areaOfIndices(b) - intersection)
}

function areaOfIndices(box: Detection): number {
  return (box.x2 - box.x1 + 1) * (box.y2 - box.y1 + 1)
}

/**
 * Edges in the stored image: the right and lower edge lie one resized pixel behind the last pixel. Each
 * axis has its own scale, since the resized size is rounded.
 */
export function toImage(
  detections: readonly Detection[],
  { resized, original, phrases }: Pick<DetectRequest, 'resized' | 'original' | 'phrases'>,
): Candidate[] {
  const scaleX = original.width / resized.width
  const scaleY = original.height / resized.height
  return detections.map(({ phrase, score, x1, y1, x2, y2 }) => ({
    phrase: phrases[phrase]!,
    score,
    box: {
      x1: x1 * scaleX,
      y1: y1 * scaleY,
      x2: Math.min((x2 + 1) * scaleX, original.width),
      y2: Math.min((y2 + 1) * scaleY, original.height),
    },
  }))
}
