import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CharSpan } from '../../../src/core/types.ts'
import type { PromptPlan } from '../../../src/teacher/adapter.ts'
import { Prompter, type Prompt } from '../../../src/teacher/glip/prompts.ts'
import { createTokenizer, parseVocab } from '../../../src/teacher/bert-tokenizer.ts'
import { promptOptionsSchema, type PromptOptions } from '../../../src/teacher/options.ts'

const FIXTURES = new URL('../../fixtures/teacher/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, FIXTURES), 'utf8')
const tokenizer = createTokenizer(parseVocab(read('vocab.txt')))

interface Setup {
  readonly options?: Partial<PromptOptions>
  readonly maxTokens?: number
}

function build(caption: string, spans: readonly CharSpan[], setup: Setup = {}): PromptPlan<Prompt> {
  const options = {
    ...promptOptionsSchema.parse(setup.options ?? {}),
    maxTokens: setup.maxTokens ?? 256,
  }
  return new Prompter(tokenizer, options).promptsOf({ caption, phrases: spans })
}

/** Spans of the words, each found after the one before. */
function spansOf(caption: string, words: readonly string[]): CharSpan[] {
  let from = 0
  return words.map((word) => {
    const start = caption.indexOf(word, from)
    from = start + word.length
    return { start, end: from }
  })
}

const texts = (plan: PromptPlan<Prompt>) => plan.prompts.map(({ text }) => text)
const placed = (plan: PromptPlan<Prompt>) =>
  plan.prompts.map(({ phrases }) => phrases.map(({ phrase }) => phrase))

describe('Prompter: caption', () => {
  it('asks a short caption as it is', () => {
    const caption = 'A red hat, a blue hat'

    const plan = build(caption, spansOf(caption, ['red hat', 'blue hat']))

    expect(plan).toEqual({
      prompts: [
        {
          text: caption,
          ids: [101, ...tokenizer.encode(caption).ids, 102],
          phrases: [
            { phrase: 0, tokens: [2, 3] },
            { phrase: 1, tokens: [6, 7] },
          ],
        },
      ],
      dropped: [],
    })
  })

  it('splits a long caption before the first phrase that no longer fits', () => {
    const caption = 'red hat on blue hat by big dog or zebra'
    const spans = spansOf(caption, ['red hat', 'blue hat', 'big dog', 'zebra'])

    const plan = build(caption, spans, { maxTokens: 9 })

    expect(texts(plan)).toEqual(['red hat on blue hat by', 'big dog or zebra'])
    expect(plan.prompts[1]!.phrases).toEqual([
      { phrase: 2, tokens: [1, 2] },
      { phrase: 3, tokens: [5] }, // "or" is two pieces of this vocabulary
    ])
  })

  it('drops a phrase that is longer than a prompt and keeps the others', () => {
    const caption = 'zebra near red blue big red blue big hat and dog'
    const spans = spansOf(caption, ['zebra', 'red blue big red blue big hat', 'dog'])

    const plan = build(caption, spans, { maxTokens: 8 })

    expect(placed(plan)).toEqual([[0], [2]])
    expect(plan.dropped).toEqual([1])
  })

  it('drops a phrase without a token', () => {
    expect(build('dog \u200b', [{ start: 4, end: 5 }])).toEqual({ prompts: [], dropped: [0] })
  })

  it('truncates to the first prompt', () => {
    const caption = 'red hat on blue hat by big dog'
    const spans = spansOf(caption, ['red hat', 'blue hat', 'big dog'])

    const plan = build(caption, spans, { maxTokens: 8, options: { overflow: 'truncate' } })

    expect(placed(plan)).toEqual([[0, 1]])
    expect(plan.dropped).toEqual([2])
  })

  it('refuses a long caption where the recipe drops them', () => {
    expect(() =>
      build('red hat '.repeat(200), [{ start: 0, end: 3 }], { options: { overflow: 'drop' } }),
    ).toThrow(
      expect.objectContaining({
        code: 'prompt_too_long',
        message: 'the caption has 402 tokens; a prompt takes 256',
      }),
    )
  })

  it('puts every phrase into exactly one prompt, whole, within the limit', () => {
    const word = fc.constantFrom('red', 'skateboarder', 'hat', 'polkadots', 'café', '😀', 'a', ',')
    const cases = fc.record({
      words: fc.array(word, { minLength: 1, maxLength: 80 }),
      ranges: fc.array(fc.tuple(fc.nat(79), fc.integer({ min: 1, max: 6 })), { maxLength: 20 }),
      maxTokens: fc.integer({ min: 8, max: 40 }),
    })
    fc.assert(
      fc.property(cases, ({ words, ranges, maxTokens }) => {
        const caption = words.join(' ')
        const starts = words.map((_, i) => words.slice(0, i).join(' ').length + (i > 0 ? 1 : 0))
        const spans = ranges
          .filter(([first]) => first < words.length)
          .map(([first, count]) => {
            const last = Math.min(first + count, words.length) - 1
            return { start: starts[first]!, end: starts[last]! + words[last]!.length }
          })

        const plan = build(caption, spans, { maxTokens })

        const all = [...placed(plan).flat(), ...plan.dropped].sort((a, b) => a - b)
        expect(all).toEqual([...spans.keys()])
        for (const { ids, phrases } of plan.prompts) {
          expect(ids.length).toBeLessThanOrEqual(maxTokens)
          for (const { phrase, tokens } of phrases) {
            const { start, end } = spans[phrase]!
            const own = tokenizer.encode(caption.slice(start, end)).ids
            expect(tokens.map((token) => ids[token])).toEqual(own)
          }
        }
        for (const phrase of plan.dropped) {
          const { start, end } = spans[phrase]!
          const own = tokenizer.encode(caption.slice(start, end)).ids.length
          expect(own === 0 || own > maxTokens - 2).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('Prompter: joined and separate', () => {
  interface Recorded {
    readonly labels: readonly string[]
    readonly eval_caption: string
    readonly eval_label_to_token: Readonly<Record<string, readonly number[]>>
    readonly demo_caption: string
    readonly demo_label_to_token: Readonly<Record<string, readonly number[]>>
  }
  const recorded = JSON.parse(read('prompts.json')) as Recorded[]

  it.each(recorded)('joins $labels as the reference evaluates', (expected) => {
    const caption = expected.labels.join('|')
    const plan = build(caption, spansOf(caption, expected.labels), {
      options: { mode: 'joined', cleanNames: true },
    })

    expect(texts(plan)).toEqual([expected.eval_caption])
    expect(plan.prompts[0]!.phrases.map(({ tokens }) => tokens)).toEqual(
      Object.values(expected.eval_label_to_token),
    )
  })

  it.each(recorded)('joins $labels as the reference demo does', (expected) => {
    const caption = expected.labels.join('|')
    const plan = build(caption, spansOf(caption, expected.labels), {
      options: { mode: 'joined', separator: ' . ', trailingSeparator: true },
    })

    expect(texts(plan)).toEqual([expected.demo_caption])
    expect(plan.prompts[0]!.phrases.map(({ tokens }) => tokens)).toEqual(
      Object.values(expected.demo_label_to_token),
    )
  })

  const caption = 'red hat, blue hat, zebra, big red blue big red dog'
  const spans = spansOf(caption, ['red hat', 'blue hat', 'zebra', 'big red blue big red dog'])

  it('begins a new prompt when the tokens or the phrases are full', () => {
    const byTokens = build(caption, spans, { options: { mode: 'joined' }, maxTokens: 8 })
    const byCount = build(caption, spans, { options: { mode: 'joined', phrasesPerForward: 3 } })

    expect(texts(byTokens)).toEqual(['red hat. blue hat', 'zebra', 'big red blue big red dog'])
    expect(placed(byCount)).toEqual([[0, 1, 2], [3]])
  })

  it('asks one by one, and scores only the phrase inside the template', () => {
    const plan = build(caption, spans, {
      options: { mode: 'separate', template: 'a {} on grass', trailingSeparator: true },
    })

    expect(texts(plan).slice(0, 2)).toEqual(['a red hat on grass. ', 'a blue hat on grass. '])
    expect(plan.prompts[0]!.phrases).toEqual([{ phrase: 0, tokens: [2, 3] }])
  })

  it.each(['joined', 'separate'] as const)('drops what is too long alone: %s', (mode) => {
    const plan = build(caption, spans, { options: { mode }, maxTokens: 7 })

    expect(plan.dropped).toEqual([3])
    expect(placed(plan).flat()).toEqual([0, 1, 2])
  })

  it('truncates a joined prompt, but not because of phrasesPerForward', () => {
    const options = { mode: 'joined', overflow: 'truncate' } as const

    const byTokens = build(caption, spans, { options, maxTokens: 8 })
    const byCount = build(caption, spans, { options: { ...options, phrasesPerForward: 2 } })

    expect([placed(byTokens), byTokens.dropped]).toEqual([[[0, 1]], [2, 3]])
    expect(placed(byCount)).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it.each(['joined', 'separate'] as const)('refuses an overflow where told to: %s', (mode) => {
    const options = { mode, overflow: 'drop' } as const

    expect(() => build(caption, spans, { options, maxTokens: 7 })).toThrow(
      expect.objectContaining({ code: 'prompt_too_long' }),
    )
  })
})
