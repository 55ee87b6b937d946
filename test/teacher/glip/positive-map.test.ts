import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { positiveTokens, writePositiveMap } from '../../../src/teacher/glip/positive-map.ts'
import { createTokenizer, parseVocab } from '../../../src/teacher/bert-tokenizer.ts'
import { codePointIndex } from '../../../src/core/span.ts'

const FIXTURES = new URL('../../fixtures/teacher/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, FIXTURES), 'utf8')
const tokenizer = createTokenizer(parseVocab(read('vocab.txt')))

interface Recorded {
  readonly name: string
  readonly caption: string
  readonly spans: readonly (readonly (readonly [number, number])[])[]
  readonly label_to_token: Readonly<Record<string, readonly number[]>>
}

describe('positiveTokens', () => {
  const recorded = JSON.parse(read('positive_map.json')) as Recorded[]

  it.each(recorded)('gives the recorded tokens: $name', ({ caption, spans, label_to_token }) => {
    const encoding = tokenizer.encode(caption)
    const { toUtf16 } = codePointIndex(caption)

    const found = spans.map((ranges) =>
      positiveTokens(
        encoding,
        ranges.map(([start, end]) => ({ start: toUtf16(start), end: toUtf16(end) })),
      ),
    )

    // The reference's map has 256 columns.
    const expected = spans.map((_, index) => label_to_token[index + 1])
    expect(found.map((tokens) => tokens.filter((token) => token < 256))).toEqual(expected)
  })

  it('steps over a whole surrogate pair when a character has no token', () => {
    const caption = '\u{e0001}\u{e0001}dog'
    const span = { start: 0, end: caption.length }

    expect(positiveTokens(tokenizer.encode(caption), [span])).toEqual([1])
  })

  it('finds nothing in a span of spaces', () => {
    expect(positiveTokens(tokenizer.encode('a    b'), [{ start: 1, end: 5 }])).toEqual([])
  })
})

describe('writePositiveMap', () => {
  it('divides each row by its own count', () => {
    const out = new Float32Array(9)

    writePositiveMap([[1, 2], [0]], 3, out)

    expect([...out]).toEqual([0, 0.5, 0.5, 1, 0, 0, 0, 0, 0])
  })
})
