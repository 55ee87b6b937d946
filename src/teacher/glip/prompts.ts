// What the model is asked: prompts (token ids) and which tokens speak of which phrase. One caption gives
// one prompt, or several when it is long or the recipe asks so; each phrase is in exactly one of them or
// is reported as dropped.

import { SampleError } from '../../core/errors.ts'
import type { CharSpan } from '../../core/types.ts'
import type { PromptPlan } from '../adapter.ts'
import type { PromptOptions } from '../options.ts'
import { positiveTokens } from './positive-map.ts'
import type { Encoding, Tokenizer } from './tokenizer.ts'

/** A phrase of a prompt. */
export interface PromptPhrase {
  /** Index into the sample's phrases. */
  readonly phrase: number
  /** Its tokens in the prompt, ascending, at least one; [CLS] is 0. */
  readonly tokens: readonly number[]
}

/** What one forward asks. */
export interface Prompt {
  readonly text: string
  /** With [CLS] and [SEP]; at most `maxTokens`. */
  readonly ids: readonly number[]
  /** At least one. */
  readonly phrases: readonly PromptPhrase[]
}

/** [CLS] and [SEP]. */
const FRAME = 2

/**
 * A phrase is in no prompt when it is too long for one, has no token, or is cut off by `truncate`.
 *
 * @param phrases valid spans of the caption
 * @param options `maxTokens` of one prompt, [CLS] and [SEP] included
 * @throws SampleError prompt_too_long when more than one prompt would be needed and `overflow` is `drop`
 */
export function buildPrompts(
  caption: string,
  phrases: readonly CharSpan[],
  tokenizer: Tokenizer,
  options: PromptOptions,
): PromptPlan<Prompt> {
  const budget = options.maxTokens - FRAME
  switch (options.mode) {
    case 'caption':
      return captionPrompts(caption, phrases, tokenizer, options, budget)
    case 'joined':
    case 'separate':
      return namePrompts(caption, phrases, tokenizer, options, budget)
  }
}

// Whole caption, in windows if it is long

/** Tokens [start, end) of the caption. */
interface TokenRange {
  readonly start: number
  readonly end: number
}

/** A phrase and the whole words that it touches. */
interface Placed extends TokenRange, PromptPhrase {}

function captionPrompts(
  caption: string,
  phrases: readonly CharSpan[],
  tokenizer: Tokenizer,
  options: PromptOptions,
  budget: number,
): PromptPlan<Prompt> {
  const encoding = tokenizer.encode(caption)
  const count = encoding.ids.length
  if (count > budget && options.overflow === 'drop') {
    throw new SampleError(
      'prompt_too_long',
      `the caption has ${count + FRAME} tokens; a prompt takes ${budget + FRAME}`,
    )
  }
  const placed: Placed[] = []
  const dropped: number[] = []
  phrases.forEach((span, phrase) => {
    const tokens = positiveTokens(caption, encoding, [span])
    const range = wordsAround(encoding, tokens)
    if (range === undefined || range.end - range.start > budget) dropped.push(phrase)
    else placed.push({ phrase, tokens, ...range })
  })
  placed.sort((a, b) => a.start - b.start || a.end - b.end)

  const prompts: Prompt[] = []
  let waiting: readonly Placed[] = placed
  let next = 0
  while (waiting.length > 0) {
    const start = waiting[0]!.end - next <= budget ? next : waiting[0]!.start
    const inside = waiting.filter((phrase) => phrase.end - start <= budget)
    waiting = waiting.filter((phrase) => phrase.end - start > budget)
    const end = endOfWindow(encoding, start, inside, waiting[0]?.start ?? count, budget)
    prompts.push({
      text: caption.slice(encoding.starts[start], encoding.ends[end - 1]),
      ids: [tokenizer.clsId, ...encoding.ids.slice(start, end), tokenizer.sepId],
      phrases: inside.map(({ phrase, tokens }) => ({
        phrase,
        tokens: tokens.map((token) => token - start),
      })),
    })
    next = Math.min(end, waiting[0]?.start ?? end)
  }
  return firstOnly(prompts, dropped, options)
}

/** Whole words from the first to the last of a phrase's tokens; undefined without tokens. */
function wordsAround(encoding: Encoding, tokens: readonly number[]): TokenRange | undefined {
  if (tokens.length === 0) return undefined
  const { words } = encoding
  let start = tokens[0]! - 1
  let end = tokens.at(-1)!
  while (start > 0 && words[start - 1] === words[start]) start--
  while (end < words.length && words[end] === words[end - 1]) end++
  return { start, end }
}

/** As far as the budget reaches in whole words, but not into the phrase that comes next. */
function endOfWindow(
  encoding: Encoding,
  start: number,
  inside: readonly TokenRange[],
  nextPhrase: number,
  budget: number,
): number {
  const { words } = encoding
  let end = Math.min(start + budget, words.length)
  while (end < words.length && end > start && words[end] === words[end - 1]) end--
  const needed = inside.reduce((last, phrase) => Math.max(last, phrase.end), start)
  return Math.max(needed, Math.min(end, nextPhrase))
}

/** With `truncate`, what is beyond the first prompt is dropped. */
function firstOnly(
  prompts: readonly Prompt[],
  dropped: readonly number[],
  options: PromptOptions,
): PromptPlan<Prompt> {
  if (options.overflow !== 'truncate') return { prompts, dropped }
  const cutOff = prompts.slice(1).flatMap((prompt) => prompt.phrases.map(({ phrase }) => phrase))
  return { prompts: prompts.slice(0, 1), dropped: sorted([...dropped, ...cutOff]) }
}

function sorted(indices: readonly number[]): number[] {
  return [...indices].sort((a, b) => a - b)
}

// Phrases as names, joined or one by one

interface Name {
  readonly phrase: number
  readonly text: string
}

function namePrompts(
  caption: string,
  phrases: readonly CharSpan[],
  tokenizer: Tokenizer,
  options: PromptOptions,
  budget: number,
): PromptPlan<Prompt> {
  const limit = options.mode === 'separate' ? 1 : (options.phrasesPerForward ?? Infinity)
  const names = phrases.map(({ start, end }, phrase): Name => {
    const verbatim = caption.slice(start, end)
    return { phrase, text: options.cleanNames ? cleanName(verbatim) : verbatim }
  })
  const fits = (prompt: Prompt | undefined) =>
    prompt !== undefined && prompt.ids.length <= budget + FRAME
  const prompts: Prompt[] = []
  const dropped: number[] = []
  let group: Name[] = []
  let prompt: Prompt | undefined
  for (const [index, name] of names.entries()) {
    const alone = promptOfNames([name], tokenizer, options)
    if (alone === undefined) {
      dropped.push(name.phrase)
      continue
    }
    const isFull = group.length >= limit
    const joined = isFull ? undefined : promptOfNames([...group, name], tokenizer, options)
    if (fits(joined)) {
      group.push(name)
      prompt = joined
      continue
    }
    if (options.overflow === 'drop' && (!isFull || !fits(alone))) {
      throw new SampleError(
        'prompt_too_long',
        `a prompt that ends with phrase ${name.phrase} has ${(joined ?? alone).ids.length} tokens; ` +
          `a prompt takes ${budget + FRAME}`,
      )
    }
    if (!fits(alone)) {
      dropped.push(name.phrase)
      continue
    }
    if (options.overflow === 'truncate' && !isFull) {
      dropped.push(...names.slice(index).map(({ phrase }) => phrase))
      break
    }
    if (prompt !== undefined) prompts.push(prompt)
    group = [name]
    prompt = alone
  }
  if (prompt !== undefined) prompts.push(prompt)
  return { prompts, dropped }
}

/** Names with the separator between them; undefined when one has no token. */
function promptOfNames(
  names: readonly Name[],
  tokenizer: Tokenizer,
  { template, separator, trailingSeparator }: PromptOptions,
): Prompt | undefined {
  const [before = '', after = ''] = template.split('{}')
  let text = ''
  const spans = names.map((name, index) => {
    if (index > 0) text += separator
    const start = text.length + before.length
    text += before + name.text + after
    return { start, end: start + name.text.length }
  })
  if (trailingSeparator) text += separator
  const encoding = tokenizer.encode(text)
  const phrases = names.map(({ phrase }, index) => ({
    phrase,
    tokens: positiveTokens(text, encoding, [spans[index]!]),
  }))
  if (phrases.some(({ tokens }) => tokens.length === 0)) return undefined
  return { text, ids: [tokenizer.clsId, ...encoding.ids, tokenizer.sepId], phrases }
}

/** GLIP's cleaning of class names: "(...)" goes, "_" becomes a space, two spaces become one. */
function cleanName(name: string): string {
  return name
    .replace(/\(.*\)/, '')
    .replaceAll('_', ' ')
    .replaceAll('  ', ' ')
}
