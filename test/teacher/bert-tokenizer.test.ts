import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createTokenizer, parseVocab } from '../../src/teacher/bert-tokenizer.ts'
import { codePointIndex } from '../../src/core/span.ts'

const FIXTURES = new URL('../fixtures/teacher/', import.meta.url)
const VOCAB = parseVocab(readFileSync(new URL('vocab.txt', FIXTURES), 'utf8'))

interface Recorded {
  readonly name: string
  readonly text: string
  readonly input_ids: readonly number[]
  readonly offsets: readonly (readonly [number, number])[]
}

describe('createTokenizer', () => {
  const tokenizer = createTokenizer(VOCAB)
  const recorded = JSON.parse(
    readFileSync(new URL('tokenizer.json', FIXTURES), 'utf8'),
  ) as Recorded[]

  it.each(recorded)('gives the recorded ids and offsets: $name', (expected) => {
    const { ids, starts, ends } = tokenizer.encode(expected.text)

    const index = codePointIndex(expected.text)
    const offsets = starts.map((start, token) => [
      index.toCodePoint(start),
      index.toCodePoint(ends[token]!),
    ])
    // The recordings are cut at 256 tokens and framed by [CLS] and [SEP].
    expect(ids.slice(0, 254)).toEqual(expected.input_ids.slice(1, -1))
    expect(offsets.slice(0, 254)).toEqual(expected.offsets.slice(1, -1))
  })

  it('gives ordered ranges inside the text for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const { ids, starts, ends, words } = tokenizer.encode(text)

        for (let token = 0; token < ids.length; token++) {
          expect(starts[token]!).toBeGreaterThanOrEqual(starts[token - 1] ?? 0)
          expect(ends[token]!).toBeGreaterThan(starts[token]!)
          expect(ends[token]!).toBeGreaterThanOrEqual(ends[token - 1] ?? 0)
          expect(ends[token]!).toBeLessThanOrEqual(text.length)
          expect(words[token]! - (words[token - 1] ?? 0)).toBeGreaterThanOrEqual(0)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('maps pieces of a lower-cased word back although it grows', () => {
    const { ids, starts, ends } = tokenizer.encode('İİ dog')

    expect(ids.at(-1)).toBe(VOCAB.indexOf('dog'))
    expect([starts.at(-1), ends.at(-1)]).toEqual([3, 6])
  })

  it.each(['[PAD]', '[UNK]', '[CLS]', '[SEP]'])('refuses a vocabulary without %s', (token) => {
    const vocab = VOCAB.filter((entry) => entry !== token)

    expect(() => createTokenizer(vocab)).toThrow(`the vocabulary has no ${token} line`)
  })
})

describe('parseVocab', () => {
  it('splits at line feeds alone', () => {
    expect(parseVocab('a\n\u2028\n\u0085\nb\n')).toEqual(['a', '\u2028', '\u0085', 'b'])
  })
})
