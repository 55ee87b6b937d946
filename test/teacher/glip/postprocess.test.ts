import { describe, expect, it } from 'vitest'
import {
  decodeBox,
  detect,
  levelSizes,
  suppress,
  toImage,
  type DetectOptions,
  type GraphOutputs,
} from '../../../src/teacher/glip/postprocess.ts'
import { writePositiveMap } from '../../../src/teacher/glip/positive-map.ts'
import { floats, numbers, readNpz, type NpyArray } from '../../helpers/npz.ts'
import { readFileSync } from 'node:fs'

const FIXTURES = new URL('../../fixtures/teacher/', import.meta.url)

const OPTIONS: DetectOptions = {
  anchors: { strides: [8, 16, 32, 64, 128], sizes: [64, 128, 256, 512, 1024] },
  boxWeights: [10, 10, 5, 5],
  candidateScore: 0.05,
  preNms: 1000,
  nmsIou: 0.6,
  maxBoxes: 100,
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

/** What the graph does behind its logits: mean over a phrase's tokens of their probability. */
function phraseProb(logits: Float32Array, tokenCount: number, phrases: readonly number[][]) {
  const map = new Float32Array(phrases.length * tokenCount)
  writePositiveMap(phrases, tokenCount, map)
  const positions = logits.length / tokenCount
  const out = new Float32Array(positions * phrases.length)
  for (let n = 0; n < positions; n++) {
    for (let p = 0; p < phrases.length; p++) {
      let sum = 0
      for (let t = 0; t < tokenCount; t++) {
        sum += sigmoid(logits[n * tokenCount + t]!) * map[p * tokenCount + t]!
      }
      out[n * phrases.length + p] = sum
    }
  }
  return out
}

describe('levelSizes', () => {
  const recorded = readNpz(new URL('anchors.npz', FIXTURES))

  it.each([
    ['320x480', { width: 480, height: 320 }],
    ['800x1216', { width: 1216, height: 800 }],
    ['352x1344', { width: 1344, height: 352 }],
  ])('gives the recorded grids for %s', (name, padded) => {
    const sizes = levelSizes(padded, OPTIONS.anchors.strides)

    expect(sizes.flatMap(({ height, width }) => [height, width])).toEqual(
      numbers(recorded, `${name}/grid`),
    )
  })

  it('puts anchors where the reference does', () => {
    levelSizes({ width: 480, height: 320 }, OPTIONS.anchors.strides).forEach((grid, level) => {
      const anchors = floats(recorded, `320x480/${level}`)
      const stride = OPTIONS.anchors.strides[level]!
      const half = (OPTIONS.anchors.sizes[level]! - 1) / 2
      for (let position = 0; position < grid.width * grid.height; position++) {
        const x = (position % grid.width) * stride + (stride - 1) / 2
        const y = Math.floor(position / grid.width) * stride + (stride - 1) / 2
        const expected = [x - half, y - half, x + half, y + half]
        expect([...anchors.subarray(position * 4, position * 4 + 4)]).toEqual(expected)
      }
    })
  })
})

describe('decodeBox', () => {
  it('gives the recorded boxes, those of huge deltas as well', () => {
    const recorded = readNpz(new URL('box_decode.npz', FIXTURES))
    const deltas = floats(recorded, 'preds')
    const anchors = floats(recorded, 'anchors')
    const decoded = floats(recorded, 'decoded')

    for (let i = 0; i < decoded.length; i += 4) {
      const [x1, y1, x2] = anchors.subarray(i, i + 4) as unknown as [number, number, number]
      const size = x2 - x1 + 1
      const center = (size - 1) / 2
      const box = decodeBox(
        deltas.subarray(i, i + 4),
        { x: x1 + center, y: y1 + center, size },
        OPTIONS.boxWeights,
      )
      box.forEach((value, side) => {
        const expected = decoded[i + side]!
        expect(Math.abs(value - expected)).toBeLessThan(1e-5 * Math.max(100, Math.abs(expected)))
      })
    }
  })
})

describe('phrase probabilities', () => {
  it('are the mean over the tokens of a positive map', () => {
    const recorded = readNpz(new URL('aggregate.npz', FIXTURES))
    const maps = JSON.parse(readFileSync(new URL('aggregate.json', FIXTURES), 'utf8')) as {
      mixed: Record<string, number[]>
    }
    const labels = Object.keys(maps.mixed).map(Number)
    const expected = floats(recorded, 'mixed/MEAN')

    const found = phraseProb(floats(recorded, 'logits'), 256, Object.values(maps.mixed))

    for (let n = 0; n < 40; n++) {
      labels.forEach((label, column) => {
        expect(found[n * labels.length + column]).toBeCloseTo(expected[n * 80 + label - 1]!, 6)
      })
    }
  })
})

describe('detect', () => {
  const recorded = readNpz(new URL('postprocess.npz', FIXTURES))
  const { label_to_token } = JSON.parse(
    readFileSync(new URL('postprocess.json', FIXTURES), 'utf8'),
  ) as { label_to_token: Record<string, number[]> }
  const tokens = Object.values(label_to_token)
  const [paddedHeight, paddedWidth] = numbers(recorded, 'padded_hw') as [number, number]
  const padded = { width: paddedWidth, height: paddedHeight }
  const sizeOf = (name: string, image: number) => {
    const [height, width] = numbers(recorded, name).slice(image * 2) as [number, number]
    return { width, height }
  }

  it.each(
    ['default', 'low', 'high', 'topn200', 'nms03-limit20', 'nolimit-high'].flatMap((name) => [
      { name, image: 0 },
      { name, image: 1 },
    ]),
  )('gives the recorded detections: $name, image $image', ({ name, image }) => {
    const [candidateScore, preNms, nmsIou, maxBoxes] = numbers(recorded, `${name}/settings`) as [
      number,
      number,
      number,
      number,
    ]
    const options = { ...OPTIONS, candidateScore, preNms, nmsIou, maxBoxes }
    const resized = sizeOf('image_sizes_hw', image)
    const original = sizeOf('orig_sizes_hw', image)

    const found = detect({
      outputs: outputsOf(recorded, image, tokens),
      padded,
      resized,
      options,
    })

    const scores = floats(recorded, `${name}/${image}/scores`)
    const labels = numbers(recorded, `${name}/${image}/labels`)
    const boxes = floats(recorded, `${name}/${image}/boxes_resized`)
    const mapped = floats(recorded, `${name}/${image}/boxes`)
    expect(found).toHaveLength(scores.length)
    const edges = toImage(found, { resized, original, phrases: [0, 1, 2, 3, 4] })
    const free = new Set(found.keys())
    for (let i = 0; i < scores.length; i++) {
      const match = [...free].find((j) => {
        const { phrase, score, x1, y1, x2, y2 } = found[j]!
        return (
          phrase === labels[i]! - 1 &&
          Math.abs(score - scores[i]!) < 1e-6 &&
          [x1, y1, x2, y2].every((value, side) => Math.abs(value - boxes[i * 4 + side]!) < 1e-3)
        )
      })
      expect(match, `detection ${i}`).toBeDefined()
      free.delete(match!)
      const { box } = edges[match!]!
      expect(box.x1).toBeCloseTo(mapped[i * 4]!, 3)
      expect(box.y1).toBeCloseTo(mapped[i * 4 + 1]!, 3)
      expect(box.x2 - original.width / resized.width).toBeCloseTo(mapped[i * 4 + 2]!, 3)
      expect(box.y2 - original.height / resized.height).toBeCloseTo(mapped[i * 4 + 3]!, 3)
    }
  })

  it('refuses outputs of another size', () => {
    const outputs = outputsOf(recorded, 0, tokens)

    const wrong = { width: 480, height: 480 }
    const request = { outputs, padded: wrong, resized: padded, options: OPTIONS }

    expect(() => detect(request)).toThrow(/480x480 px has 4805 positions.* 4482 centerness/)
  })

  it.each(['phraseProb', 'boxReg', 'centerness'] as const)('refuses NaN in %s', (field) => {
    const outputs = outputsOf(recorded, 0, tokens)
    outputs[field].fill(NaN)

    const request = { outputs, padded, resized: padded, options: OPTIONS }

    expect(() => detect(request)).toThrow(/not a number/)
  })
})

function outputsOf(
  recorded: Record<string, NpyArray>,
  image: number,
  tokens: readonly number[][],
): GraphOutputs {
  const probs: number[] = []
  const boxes: number[] = []
  const centers: number[] = []
  for (let level = 0; level < 5; level++) {
    const logits = floats(recorded, `in/dot_logits/${level}`)
    const regs = floats(recorded, `in/bbox_reg/${level}`)
    const centerness = floats(recorded, `in/centerness/${level}`)
    const count = centerness.length / 2
    const mine = logits.slice(image * count * 14, (image + 1) * count * 14)
    probs.push(...phraseProb(mine, 14, tokens))
    for (let n = 0; n < count; n++) {
      for (let side = 0; side < 4; side++) boxes.push(regs[(image * 4 + side) * count + n]!)
      centers.push(centerness[image * count + n]!)
    }
  }
  return {
    phraseProb: Float32Array.from(probs),
    phraseCount: tokens.length,
    boxReg: Float32Array.from(boxes),
    centerness: Float32Array.from(centers),
  }
}

describe('suppress', () => {
  const recorded = readNpz(new URL('nms.npz', FIXTURES))
  const boxes = floats(recorded, 'boxes')
  const scores = floats(recorded, 'scores')
  const labels = numbers(recorded, 'labels')
  const all = labels.map((phrase, i) => {
    const [x1, y1, x2, y2] = boxes.subarray(i * 4) as unknown as [number, number, number, number]
    return { phrase, score: scores[i]!, x1, y1, x2, y2, index: i }
  })
  all.sort((a, b) => b.score - a.score)

  it.each([0.6, 0.5])('keeps the recorded boxes at IoU %d', (nmsIou) => {
    const kept = new Set(suppress(all, { nmsIou, maxBoxes: 0 }))

    const indices = all.filter((box) => kept.has(box)).map(({ index }) => index)
    expect(indices.sort((a, b) => a - b)).toEqual(numbers(recorded, `th${nmsIou}/keep_ml_nms`))
  })

  it('keeps ties with the last box of the limit', () => {
    const tied = [0.9, 0.5, 0.5, 0.5, 0.4].map((score, phrase) => ({ ...all[0]!, score, phrase }))

    const kept = suppress(tied, { nmsIou: 0.6, maxBoxes: 2 })

    expect(kept.map(({ phrase }) => phrase)).toEqual([0, 1, 2, 3])
  })
})
