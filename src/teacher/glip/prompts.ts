// What the model is asked: prompts (token ids) and which tokens speak of which phrase. One caption gives
// one prompt, or several when it is long or the recipe asks so; each phrase is in exactly one of them or
// is reported as dropped.

import { SampleError } from '../../core/errors.ts'
import type { CharSpan } from '../../core/types.ts'
import type { PromptPlan } from '../adapter.ts'
import type { Encoding, Tokenizer } from '../bert-tokenizer.ts'
import type { PromptOptions } from '../options.ts'
import { positiveTokens } from './positive-map.ts'

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

/** What of a sample is asked. */
interface Asked {
  readonly caption: string
  readonly phrases: readonly CharSpan[]
}

/** [CLS] and [SEP]. */
const FRAME = 2

/** Tokens [start, end) of the caption. */
interface TokenRange {
  readonly start: number
  readonly end: number
}

/** A phrase and the whole words that it touches. */
interface Placed extends TokenRange, PromptPhrase {}

/** A prompt of a long caption. */
interface Window {
  /** First token. */
  readonly start: number
  readonly inside: readonly TokenRange[]
  /** First token of the phrase that comes next. */
  readonly nextPhrase: number
}

interface Name {
  readonly phrase: number
  readonly text: string
}

/** Asks captions as the options say. */
export class Prompter {
  readonly #tokenizer: Tokenizer
  readonly #options: PromptOptions
  /** Tokens of a prompt beside [CLS] and [SEP]. */
  readonly #budget: number

  /** @param options `maxTokens` of one prompt, [CLS] and [SEP] included */
  constructor(tokenizer: Tokenizer, options: PromptOptions) {
    this.#tokenizer = tokenizer
    this.#options = options
    this.#budget = options.maxTokens - FRAME
  }

  /**
   * A phrase is in no prompt when it is too long for one, has no token, or is cut off by `truncate`.
   *
   * @param sample its phrases are valid spans of its caption
   * @throws SampleError prompt_too_long when more than one prompt would be needed and `overflow` is `drop`
   */
  promptsOf(sample: Asked): PromptPlan<Prompt> {
    return this.#options.mode === 'caption' ? this.#ofCaption(sample) : this.#ofNames(sample)
  }

  /** The whole caption, in windows if it is long. */
  #ofCaption({ caption, phrases }: Asked): PromptPlan<Prompt> {
    const budget = this.#budget
    const encoding = this.#tokenizer.encode(caption)
    const count = encoding.ids.length
    if (count > budget && this.#options.overflow === 'drop') {
      throw new SampleError(
        'prompt_too_long',
        `the caption has ${count + FRAME} tokens; a prompt takes ${budget + FRAME}`,
      )
    }
    const placed: Placed[] = []
    const dropped: number[] = []
    phrases.forEach((span, phrase) => {
      const tokens = positiveTokens(encoding, [span])
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
      const nextPhrase = waiting[0]?.start ?? count
      const end = this.#endOf({ start, inside, nextPhrase }, encoding)
      prompts.push({
        text: caption.slice(encoding.starts[start], encoding.ends[end - 1]),
        ids: this.#framed(encoding.ids.slice(start, end)),
        phrases: inside.map(({ phrase, tokens }) => ({
          phrase,
          tokens: tokens.map((token) => token - start),
        })),
      })
      next = Math.min(end, waiting[0]?.start ?? end)
    }
    if (this.#options.overflow !== 'truncate') return { prompts, dropped }
    // What is beyond the first prompt is dropped.
    for (const prompt of prompts.splice(1)) {
      dropped.push(...prompt.phrases.map(({ phrase }) => phrase))
    }
    return { prompts, dropped: dropped.sort((a, b) => a - b) }
  }

  /** As far as the budget reaches in whole words, but not into the phrase that comes next. */
  #endOf({ start, inside, nextPhrase }: Window, { words }: Encoding): number {
    let end = Math.min(start + this.#budget, words.length)
    while (end < words.length && end > start && words[end] === words[end - 1]) end--
    const needed = Math.max(start, ...inside.map((phrase) => phrase.end))
    return Math.max(needed, Math.min(end, nextPhrase))
  }

  /** Phrases as names, joined or one by one. */
  #ofNames({ caption, phrases }: Asked): PromptPlan<Prompt> {
    const { mode, phrasesPerForward, cleanNames, overflow } = this.#options
    const most = this.#budget + FRAME
    const limit = mode === 'separate' ? 1 : (phrasesPerForward ?? Infinity)
    const names = phrases.map(({ start, end }, phrase): Name => {
      const verbatim = caption.slice(start, end)
      return { phrase, text: cleanNames ? cleanName(verbatim) : verbatim }
    })
    const fits = (prompt: Prompt | undefined) => prompt !== undefined && prompt.ids.length <= most
    const prompts: Prompt[] = []
    const dropped: number[] = []
    let group: Name[] = []
    let prompt: Prompt | undefined
    for (const [index, name] of names.entries()) {
      const alone = this.#promptOf([name])
      if (alone === undefined) {
        dropped.push(name.phrase)
        continue
      }
      const isFull = group.length >= limit
      const joined = isFull ? undefined : this.#promptOf([...group, name])
      if (fits(joined)) {
        group.push(name)
        prompt = joined
        continue
      }
      if (overflow === 'drop' && (!isFull || !fits(alone))) {
        throw new SampleError(
          'prompt_too_long',
          `a prompt that ends with phrase ${name.phrase} has ${(joined ?? alone).ids.length} tokens; ` +
            `a prompt takes ${most}`,
        )
      }
      if (!fits(alone)) {
        dropped.push(name.phrase)
        continue
      }
      if (overflow === 'truncate' && !isFull) {
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
  #promptOf(names: readonly Name[]): Prompt | undefined {
    const { template, separator, trailingSeparator } = this.#options
    const [before = '', after = ''] = template.split('{}')
    let text = ''
    const spans = names.map((name, index) => {
      if (index > 0) text += separator
      const start = text.length + before.length
      text += before + name.text + after
      return { start, end: start + name.text.length }
    })
    if (trailingSeparator) text += separator
    const encoding = this.#tokenizer.encode(text)
    const phrases = names.map(({ phrase }, index) => ({
      phrase,
      tokens: positiveTokens(encoding, [spans[index]!]),
    }))
    if (phrases.some(({ tokens }) => tokens.length === 0)) return undefined
    return { text, ids: this.#framed(encoding.ids), phrases }
  }

  #framed(ids: readonly number[]): readonly number[] {
    return [this.#tokenizer.clsId, ...ids, this.#tokenizer.sepId]
  }
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

/** GLIP's cleaning of class names: "(...)" goes, "_" becomes a space, two spaces become one. */
function cleanName(name: string): string {
  return name
    .replace(/\(.*\)/, '')
    .replaceAll('_', ' ')
    .replaceAll('  ', ' ')
}
