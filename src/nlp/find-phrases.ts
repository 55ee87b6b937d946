// One caption from its source text to phrases or to the reason why it has none.

import { isValidSpan } from '../core/span.ts'
import type { CharSpan, Phrase } from '../core/types.ts'
import { createCleaner } from './clean.ts'
import { expandPhrases } from './expand.ts'
import { createExtractor } from './extractors.ts'
import { refuseCleaned, refuseSource, type Refusal } from './gate.ts'
import { singular } from './lemma.ts'
import { Lexicon } from './lexicon.ts'
import type { MappedText } from './mapped-text.ts'
import type { CaptionOptions, PhraseOptions } from './options.ts'
import type { FoundPhrase } from './reading.ts'
import { limit, select, type DropCause, type Selection } from './select.ts'
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
  caption: CaptionOptions,
  phrases: PhraseOptions,
  without?: ReadonlySet<string>,
): PhraseFinder {
  const lexicon = new Lexicon()
  const tagger = createTagger(lexicon, without)
  const clean = createCleaner(caption)
  const extract = createExtractor(phrases)
  const isSuppliedOnly = [phrases.extractor].flat().every((name) => name === 'supplied')

  const find = (input: PhraseInput): Found => {
    const nothing = { text: input.caption, cleaned: [], words: [], dropped: [] }
    const refused = refuseSource(input.caption, caption) ?? refuseSpans(input)
    if (refused !== undefined) return { ...nothing, result: refused }
    const cleaned = clean(input.caption)
    const { mapped, applied } = cleaned
    const tokens = tokenize(mapped.text)
    const refusal = refuseCleaned(cleaned, tokens, lexicon, caption)
    if (refusal !== undefined) {
      return { ...nothing, text: mapped.text, cleaned: applied, result: refusal }
    }
    const words = tagger.tag(tokens)
    const supplied = input.supplied?.flatMap((span) => mapped.fromSource(span) ?? [])
    const found = extract({
      caption: mapped.text,
      words,
      ...(supplied === undefined ? {} : { supplied }),
    })
    const selected = select(words, found, phrases)
    const expanded = phrases.expand === 'grit' ? expandPhrases(words, selected.kept) : selected.kept
    const limited = limit(mapped.text, expanded, phrases)
    const dropped = [...selected.dropped, ...limited.dropped]
    const result =
      limited.kept.length > 0
        ? phrased(mapped, words, limited.kept)
        : { code: 'phrases_none' as const, detail: whyNone(dropped.length, input, isSuppliedOnly) }
    return { result, text: mapped.text, cleaned: applied, words, dropped }
  }

  return Object.assign((input: PhraseInput) => find(input).result, {
    explain(input: PhraseInput) {
      const { result, text, cleaned, words, dropped } = find(input)
      const explanation: Explanation = {
        caption: text,
        cleaned,
        words: words.map((word) => ({ text: word.text, tag: word.tag, rule: word.rule })),
        dropped: dropped.map(({ phrase, cause }) => ({
          text: text.slice(phrase.start, phrase.end),
          cause,
        })),
      }
      return { result, explanation }
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

function whyNone(dropped: number, { supplied }: PhraseInput, isSuppliedOnly: boolean): string {
  if (isSuppliedOnly && supplied === undefined) return 'the dataset gives none for it'
  return dropped > 0 ? `none of ${dropped} found is asked for` : 'no noun phrase in it'
}

function phrased(
  mapped: MappedText,
  words: readonly Word[],
  found: readonly FoundPhrase[],
): PhrasedCaption {
  const caption = mapped.text
  const phrases = found.map(({ start, end, head }): Phrase => {
    const noun = words[head]!.text
    return { start, end, text: caption.slice(start, end), head: noun, lemma: singular(noun) }
  })
  return { caption, phrases, sourceSpans: phrases.map((phrase) => mapped.toSource(phrase)) }
}
