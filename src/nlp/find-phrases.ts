// One caption from its source text to phrases or to the reason why it has none.

import type { CharSpan, Phrase } from '../core/types.ts'
import type { PhraseInput, PhraseResult } from './extractor.ts'
import { singular } from './lemma.ts'
import { MappedText } from './mapped-text.ts'
import { createAnalyser, phrasesOf } from './noun-phrases.ts'
import type { CaptionOptions, PhraseOptions } from './options.ts'

export interface Finding {
  readonly result: PhraseResult
  /** A span of the stored caption as a span of the source text. */
  readonly toSource: (span: CharSpan) => CharSpan
}

export type PhraseFinder = (input: PhraseInput) => Finding

/** Loads the word lists; the finder is pure. */
export function createPhraseFinder(_caption: CaptionOptions, phrases: PhraseOptions): PhraseFinder {
  const analyse = createAnalyser()
  return ({ caption }) => {
    const mapped = new MappedText(caption).replace(/^\s+|\s+$/g, '')
    const toSource = (span: CharSpan) => mapped.toSource(span)
    const analysis = analyse(mapped.text)
    const found = phrasesOf(analysis, phrases.of).map(({ start, end, head }): Phrase => {
      const headText = analysis.words[head]!.text
      return {
        start,
        end,
        text: mapped.text.slice(start, end),
        head: headText,
        lemma: singular(headText),
      }
    })
    if (found.length === 0) {
      return { result: { code: 'phrases_none', detail: 'no noun phrase in it' }, toSource }
    }
    return { result: { caption: mapped.text, phrases: found }, toSource }
  }
}
