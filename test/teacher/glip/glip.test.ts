import { getActiveResourcesInfo } from 'node:process'
import { describe, expect, it } from 'vitest'
import { ConfigError, InputError } from '../../../src/core/errors.ts'
import { glip, settingsOf, type GlipModel } from '../../../src/teacher/glip/glip.ts'
import type { FloatTensor, OnnxSession } from '../../../src/teacher/onnx-session.ts'
import { promptOptions, readToy, teacherOptions, TOY } from '../toy.ts'

describe('settingsOf', () => {
  const settings = async (
    teacher: Parameters<typeof teacherOptions>[0],
    prompt: Parameters<typeof promptOptions>[0] = {},
  ) =>
    settingsOf((await readToy()).description, {
      teacher: teacherOptions(teacher),
      prompt: promptOptions(prompt),
    })

  it("takes the model's own values where nothing is configured", async () => {
    expect(await settings({})).toEqual({
      prompt: { ...promptOptions(), maxTokens: 16 },
      input: { kind: 'short-side', shortSide: 64, longSide: 128, padMultiple: 32 },
      detect: {
        anchors: { strides: [8, 16, 32, 64, 128], sizes: [64, 128, 256, 512, 1024] },
        boxWeights: [10, 10, 5, 5],
        candidateScore: 0.05,
        preNms: 1000,
        nmsIou: 0.6,
        maxBoxes: 100,
      },
    })
  })

  it('takes what is configured, zeros as well; of tokens at most what the model takes', async () => {
    const detect = { candidateScore: 0, preNms: 7, nmsIou: 0, maxBoxes: 0 }

    expect(await settings({ ...detect, longSide: 96 }, { maxTokens: 12 })).toMatchObject({
      prompt: { maxTokens: 12 },
      input: { shortSide: 64, longSide: 96 },
      detect,
    })
  })
})

describe('GlipModel', () => {
  it('starts no thread for options that it refuses', async () => {
    const model = await readToy()
    const before = getActiveResourcesInfo()

    expect(() => model.adapt(teacherOptions({ longSide: 63 }), promptOptions())).toThrow(
      new ConfigError('teacher.shortSide: 64 px is above the long side of 63 px'),
    )
    expect(getActiveResourcesInfo()).toEqual(before)
  })

  describe('probe', () => {
    const tensor = (value: number, ...dims: number[]): FloatTensor => {
      const length = dims.reduce((product, dim) => product * dim)
      return { type: 'float32', data: new Float32Array(length).fill(value), dims }
    }
    // 64x64 px have 64 + 16 + 4 + 1 + 1 positions.
    const outputs = {
      phrase_prob: tensor(0, 1, 86, 1),
      box_reg: tensor(0, 1, 86, 4),
      centerness: tensor(0, 1, 86),
    }
    const named = (...names: string[]) =>
      names.map((name) => ({ name, type: 'float32', shape: [] }))

    async function probe(answer: Partial<typeof outputs> = {}, names = Object.keys(outputs)) {
      const model = await readToy()
      const asked: Parameters<OnnxSession['run']>[0][] = []
      await model.probe({
        provider: 'cpu',
        inputs: named(...Object.values(model.description.inputs)),
        outputs: named(...names),
        run: (feeds) => {
          asked.push(feeds)
          return Promise.resolve({ outputs: { ...outputs, ...answer }, milliseconds: 1 })
        },
        close: () => Promise.resolve(),
      })
      return asked
    }

    it('asks a grey image of two paddings a side once, with [CLS] and [SEP]', async () => {
      const asked = await probe()

      expect(asked).toEqual([
        {
          images: {
            type: 'uint8',
            data: new Uint8Array(64 * 64 * 3).fill(128),
            dims: [1, 64, 64, 3],
          },
          image_sizes: { type: 'int64', data: new BigInt64Array([64n, 64n]), dims: [1, 2] },
          input_ids: { type: 'int64', data: new BigInt64Array([2n, 3n]), dims: [1, 2] },
          attention_mask: { type: 'int64', data: new BigInt64Array([1n, 1n]), dims: [1, 2] },
          positive_map: { type: 'float32', data: new Float32Array([0, 1]), dims: [1, 1, 2] },
        },
      ])
    })

    it('refuses a score or a box that is no number, however low the score', async () => {
      await expect(probe({ centerness: tensor(NaN, 1, 86) })).rejects.toThrow(
        new RangeError('the model gave a score that is not a number'),
      )
      await expect(probe({ box_reg: tensor(NaN, 1, 86, 4) })).rejects.toThrow(
        new RangeError('the model gave a box that is not a number'),
      )
    })

    it('refuses other shapes', async () => {
      await expect(probe({ box_reg: tensor(0, 1, 85, 4) })).rejects.toThrow(
        /^the graph's outputs have the shapes \[1, 86, 1\], \[1, 85, 4\], \[1, 86\] instead of/,
      )
    })

    it('looks at the names before it runs anything', async () => {
      await expect(probe({}, ['phrase_prob', 'box_reg'])).rejects.toThrow(InputError)
      await expect(probe({}, ['phrase_prob', 'box_reg'])).rejects.toThrow(
        /model\.onnx has the outputs phrase_prob, box_reg; teacher\.json says .*, centerness$/,
      )
    })
  })
})

describe('glip', () => {
  it('reads text in the case that the description says', async () => {
    const { description } = await readToy()
    const text = { ...description.text, lowerCase: false }
    const cased = await glip.load({ path: TOY, description: { ...description, text }, sha256: '' })

    const idsOf = (model: unknown) => (model as GlipModel).tokenizer.encode('Red red').ids // what GLIP loads
    expect(idsOf(cased)).toEqual([1, 12])
    expect(idsOf(await readToy())).toEqual([12, 12])
  })
})
