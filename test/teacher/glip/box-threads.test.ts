import { describe, expect, it, onTestFinished } from 'vitest'
import { startBoxThreads } from '../../../src/teacher/glip/box-threads.ts'
import type { DetectRequest } from '../../../src/teacher/glip/postprocess.ts'

/** One position whose box is the whole image, of certain centerness. */
function request(prob: number, positions = 1): DetectRequest {
  return {
    outputs: {
      phraseProb: new Float32Array([prob]),
      phraseCount: 1,
      boxReg: new Float32Array(4),
      centerness: new Float32Array(positions).fill(100),
    },
    padded: { width: 8, height: 8 },
    resized: { width: 8, height: 8 },
    original: { width: 16, height: 8 },
    phrases: [5],
    options: {
      anchors: { strides: [8], sizes: [64] },
      boxWeights: [10, 10, 5, 5],
      candidateScore: 0.05,
      preNms: 10,
      nmsIou: 0.6,
      maxBoxes: 0,
    },
  }
}

const found = (score: number) => [
  { phrase: 5, score: expect.closeTo(score, 6), box: { x1: 0, y1: 0, x2: 16, y2: 8 } },
]

function start(count: number) {
  const threads = startBoxThreads(count)
  onTestFinished(() => threads.close())
  return threads
}

describe('startBoxThreads', () => {
  it('gives boxes of the stored image, to each its own, and takes the outputs over', async () => {
    const threads = start(2)
    const requests = [0.64, 0.01, 0.25].map((prob) => request(prob))

    const candidates = await Promise.all(requests.map((each) => threads.detect(each)))

    expect(candidates).toEqual([found(0.8), [], found(0.5)])
    for (const { outputs } of requests) {
      const { phraseProb, boxReg, centerness } = outputs
      expect([phraseProb, boxReg, centerness].map(({ length }) => length)).toEqual([0, 0, 0])
    }
  })

  it('passes on what is wrong with a request and goes on', async () => {
    const threads = start(1)

    await expect(threads.detect(request(0.64, 3))).rejects.toThrow(
      'an input of 8x8 px has 1 positions, but the model gave 3 centerness values, 4 deltas and ' +
        '1 probabilities for 1 phrases',
    )
    expect(await threads.detect(request(0.64))).toEqual(found(0.8))
  })

  it('finishes what it was asked before it closes, and takes nothing more', async () => {
    const threads = start(1)
    const asked = [threads.detect(request(0.64)), threads.detect(request(0.25))]
    await asked[0]

    await threads.close()

    expect(await Promise.all(asked)).toEqual([found(0.8), found(0.5)])
    await expect(threads.detect(request(0.64))).rejects.toThrow(
      'the pool of threads for boxes is closed',
    )
  })
})
