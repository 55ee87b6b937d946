import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isValidSpan } from '../../src/core/span.ts'
import { finderOf } from '../helpers/phrases.ts'

const WORDS = ['a', 'red', 'dog', 'and', 'the', 'two', 'women', 'riding', 'of', 'group', "man's"]
const ODD = [
  '😀',
  '👩‍🚀',
  '🇩🇪',
  'e\u0301',
  'İ',
  'İstanbul',
  'ﬁsh',
  'שלום',
  'مرحبا',
  '\u202e',
  '\u200d',
  '\u200b',
  '\u00ad',
  '\ud83d',
  '\udc00',
  '\u0000',
  '&amp;',
  '&#x1F600;',
  '<b>',
  '<PERSON>',
  '#tag',
  '-',
  "'",
  '’s',
  '$5',
  ',',
  '\u2028',
]
const caption = fc.oneof(
  fc
    .array(
      fc.oneof(fc.constantFrom(...WORDS), fc.constantFrom(...ODD), fc.string({ unit: 'binary' })),
      {
        maxLength: 25,
      },
    )
    .chain((parts) => fc.constantFrom(' ', ' ', '').map((glue) => parts.join(glue))),
  fc.string({ unit: 'grapheme' }),
)

const MODES = [
  {},
  { of: 'split', attributes: 'strip' },
  { extractor: 'glip-nltk' },
  { expand: 'grit' },
  { extractor: 'ngrams', ngrams: { max: 3 } },
  { extractor: ['chunker', 'ngrams'], ngrams: { max: 2 } },
]

describe('spans', () => {
  it.each(MODES)('are exact for any Unicode: %j', (mode) => {
    const overlaps = 'extractor' in mode && mode.extractor === 'ngrams'
    const unites = 'extractor' in mode && Array.isArray(mode.extractor)
    const find = finderOf(mode, { lang: 'any' })
    fc.assert(
      fc.property(caption, (text) => {
        const result = find({ caption: text })
        if ('code' in result) return
        const { phrases, sourceSpans } = result
        expect(phrases.length).toBeGreaterThan(0)
        expect(sourceSpans).toHaveLength(phrases.length)
        for (const [index, phrase] of phrases.entries()) {
          expect(isValidSpan(phrase, result.caption)).toBe(true)
          expect(result.caption.slice(phrase.start, phrase.end)).toBe(phrase.text)
          expect(isValidSpan(sourceSpans[index]!, text)).toBe(true)
          const before = phrases[index - 1]
          if (before === undefined) continue
          expect(phrase.start).toBeGreaterThanOrEqual(before.start)
          if (!overlaps && !unites) expect(phrase.start).toBeGreaterThanOrEqual(before.end)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('are the same in the source where nothing was cleaned', () => {
    const text = 'İstanbul 🐕 a red dog'

    expect(finderOf({}, { clean: 'none' })({ caption: text })).toMatchObject({
      phrases: [{ text: 'İstanbul' }, { text: 'a red dog', start: 12, end: 21 }],
      sourceSpans: [{ start: 0 }, { start: 12, end: 21 }],
    })
  })
})

describe('hostile captions', () => {
  const long = (unit: string) => unit.repeat(Math.ceil(20_000 / unit.length)).slice(0, 20_000)
  const units = [
    'a',
    'dog ',
    'a dog of ',
    'the ',
    'and ',
    '(',
    '<',
    '<b>',
    '</',
    '<!--',
    '&amp;',
    '&',
    '#a',
    '@a',
    ' ',
    '\t',
    '\n',
    '|',
    ' | ',
    '- ',
    '--',
    "'",
    '"',
    '😀',
    '\u0301',
    '\ud800',
    'http://',
    'a.b.',
    'a:',
    'a@',
    'x-',
    '1,',
    'A B ',
    "s' ",
    'a, ',
    'running ',
    'stock photo ',
    '.jpg',
    'a(',
    '\u0000',
    ',',
  ]

  it.each(units)('%j repeated to 20,000 characters is read or refused', (unit) => {
    const find = finderOf({}, { maxChars: 20_000, maxWords: 20_000 })

    const result = find({ caption: long(unit) })

    if ('code' in result) expect(result.detail).not.toBe('')
    else expect(result.phrases.length).toBeLessThanOrEqual(100)
  })

  it('refuses 100 kB', () => {
    expect(finderOf()({ caption: 'a dog '.repeat(17_000) })).toEqual({
      code: 'caption_too_long',
      detail: '102000 UTF-16 units; caption.maxChars is 4000',
    })
  })

  it('reads 10,000 random captions', () => {
    const find = finderOf({}, { lang: 'any' })
    const sample = fc.sample(caption, { numRuns: 10_000, seed: 4 })
    const before = process.memoryUsage().heapUsed

    const read = sample.filter((text) => !('code' in find({ caption: text }))).length

    expect(read).toBeGreaterThan(1_000)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(300e6)
  })
})
