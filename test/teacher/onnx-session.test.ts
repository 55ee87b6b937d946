import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { feedsOf } from '../../src/teacher/glip/glip-graph.ts'
import { openOnnx } from '../../src/teacher/onnx-session.ts'
import { readToy, TOY } from './toy.ts'

const SIZE = { width: 64, height: 64 }

async function openToy() {
  const model = await readToy()
  const session = await openOnnx(join(TOY, 'model.onnx'), {
    provider: 'cpu',
    threads: 1,
    name: 'toy',
  })
  onTestFinished(() => session.close())
  const feeds = (value: number) => {
    const data = new Uint8Array(SIZE.width * SIZE.height * 3).fill(value)
    const input = { data, original: SIZE, resized: SIZE, padded: SIZE }
    const prompt = { ids: model.tokenizer.encode('red').ids, phrases: [{ phrase: 0, tokens: [0] }] }
    return feedsOf([{ prompt, input }], model)
  }
  return { session, feeds }
}

describe('openOnnx', () => {
  it('tells the inputs and outputs of the graph', async () => {
    const { session } = await openToy()

    expect(session.inputs.map(({ name, type }) => `${name} ${type}`).sort()).toEqual([
      'attention_mask int64',
      'image_sizes int64',
      'images uint8',
      'input_ids int64',
      'positive_map float32',
    ])
    expect(session.outputs.map(({ name }) => name).sort()).toEqual([
      'box_reg',
      'centerness',
      'phrase_prob',
    ])
  })

  it('finishes the runs it was asked for before it closes', async () => {
    const { session, feeds } = await openToy()

    const runs = [session.run(feeds(0)), session.run(feeds(255)), session.run(feeds(7))]
    await session.close()

    for (const { outputs } of await Promise.all(runs)) {
      expect(outputs['phrase_prob']!.dims).toEqual([1, 86, 1])
    }
    await expect(session.run(feeds(0))).rejects.toThrow(
      'the thread that runs toy (onnx-worker, provider cpu) is closed',
    )
  })

  it('passes on the error of a run and goes on', async () => {
    const { session, feeds } = await openToy()
    const { images: _, ...withoutImages } = feeds(0)

    await expect(session.run(withoutImages)).rejects.toThrow(/images/)
    expect((await session.run(feeds(0))).milliseconds).toBeGreaterThan(0)
  })
})
