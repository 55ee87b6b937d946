// One caption from its source text to phrases or to the reason why it has none.

import { isValidSpan } from '../core/span.ts'
import type { CharSpan, Phrase } from '../core/types.ts'
import { createCleaner } from './clean.ts'
import { expandPhrases } from './expand.ts'
import { createExtractor } from './extractors.ts'
import { createGate, refuseSource, type Refusal } from './gate.ts'
import { singular } from './lemma.ts'
import { Lexicon } from './lexicon.ts'
import type { PhraseConfig } from './options.ts'
import { createLimit, createSelect, type DropCause, type Selection } from './select.ts'
import { createTagger } from './tag.ts'
import { tokenize } from './tokenize.ts'
import type { Word } from './word.ts'

/** A caption and, where the data set gives them, its phrases. */
export interface PhraseInput {
  /** Verbatim, as in the source. */
  readonly caption: string
  /** Spans into `caption`, from the dataset. */
  readonly supplied?: readonly CharSpan[]
}

/** A caption with its phrases, sorted by start. */
export interface PhrasedCaption {
  /** Cleaned: what is stored and what the spans index. */
  readonly caption: string
  /** At least one. */
  readonly phrases: readonly Phrase[]
  /** Where each phrase stands in the source. */
  readonly sourceSpans: readonly CharSpan[]
}

/** Phrases, or the reason code of why there are none. */
export type PhraseResult = PhrasedCaption | Refusal

/** How a result came about, for people. */
export interface Explanation {
  /** After cleaning. */
  readonly caption: string
  /** Rules of clean-rules.ts that changed something. */
  readonly cleaned: readonly string[]
  /** Class of each word and the rule that decided it. */
  readonly words: readonly { readonly text: string; readonly tag: string; readonly rule: string }[]
  readonly dropped: readonly { readonly text: string; readonly cause: DropCause }[]
}

/** Pure: the same caption gives the same phrases. */
export interface PhraseFinder {
  (input: PhraseInput): PhraseResult
  /** The same result with what led there. */
  explain(input: PhraseInput): { readonly result: PhraseResult; readonly explanation: Explanation }
}

const NONE_GIVEN = 'the dataset gives none for it'
const NONE_FOUND = 'no noun phrase in it'

interface Found {
  readonly result: PhraseResult
  readonly text: string
  readonly cleaned: readonly string[]
  readonly words: readonly Word[]
  readonly dropped: Selection['dropped']
}

/**
 * Loads the word lists, some 100 ms; the finder is pure.
 *
 * @param without names of tagging rules that are not applied, for ablations
 */
export function createPhraseFinder(
  { caption: captionOptions, phrases: options }: PhraseConfig,
  without?: ReadonlySet<string>,
): PhraseFinder {
  const lexicon = new Lexicon()
  const tagger = createTagger(lexicon, without)
  const clean = createCleaner(captionOptions)
  const refuse = createGate(captionOptions, lexicon)
  const extract = createExtractor(options)
  const select = createSelect(options)
  const limit = createLimit(options)
  const isSuppliedOnly = [options.extractor].flat().every((name) => name === 'supplied')

  const find = (input: PhraseInput): Found => {
    const nothing = { text: input.caption, cleaned: [], words: [], dropped: [] }
    const refused = refuseSource(input.caption, captionOptions) ?? refuseSpans(input)
    if (refused !== undefined) return { ...nothing, result: refused }
    const { mapped, applied: cleaned } = clean(input.caption)
    const { text } = mapped
    const tokens = tokenize(text)
    const refusal = refuse({ text, cleaned, tokens })
    if (refusal !== undefined) return { ...nothing, text, cleaned, result: refusal }
    const words = tagger.tag(tokens)
    const supplied = input.supplied?.flatMap((span) => mapped.fromSource(span) ?? [])
    const found = extract({ caption: text, words, ...(supplied && { supplied }) })
    const selected = select(words, found)
    const expanded = options.expand === 'grit' ? expandPhrases(words, selected.kept) : selected.kept
    const { kept, dropped: beyond } = limit(text, expanded)
    const dropped = [...selected.dropped, ...beyond]
    if (kept.length === 0) {
      const none = dropped.length > 0 ? `none of ${dropped.length} found is asked for` : NONE_FOUND
      const detail = isSuppliedOnly && supplied === undefined ? NONE_GIVEN : none
      return { result: { code: 'phrases_none', detail }, text, cleaned, words, dropped }
    }
    const phrases = kept.map(({ start, end, head }): Phrase => {
      const noun = words[head]!.text
      return { start, end, text: text.slice(start, end), head: noun, lemma: singular(noun) }
    })
    const sourceSpans = phrases.map((phrase) => mapped.toSource(phrase))
    return { result: { caption: text, phrases, sourceSpans }, text, cleaned, words, dropped }
  }

  return Object.assign((input: PhraseInput) => find(input).result, {
    explain(input: PhraseInput) {
      const { result, text: caption, cleaned, ...found } = find(input)
      const words = found.words.map(({ text, tag, rule }) => ({ text, tag, rule }))
      const dropped = found.dropped.map(({ phrase: { start, end }, cause }) => ({
        text: caption.slice(start, end),
        cause,
      }))
      return { result, explanation: { caption, cleaned, words, dropped } }
    },
  })
}

function refuseSpans({ caption, supplied = [] }: PhraseInput): Refusal | undefined {
  const index = supplied.findIndex((span) => !isValidSpan(span, caption))
  if (index < 0) return undefined
  const { start, end } = supplied[index]!
  return {
    code: 'phrases_invalid',
    detail: `phrase ${index} is [${start}, ${end}) of a caption with ${caption.length} UTF-16 units`,
  }
}
