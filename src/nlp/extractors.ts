// The ways of asking, behind one interface: a reading of a caption to phrases. Several may be united.

import { isValidSpan, spansOverlap } from '../core/span.ts'
import { glipNltk } from './glip-nltk.ts'
import { headOf, ngrams } from './ngrams.ts'
import { nounPhrases } from './noun-phrases.ts'
import type { ExtractorName, PhraseOptions } from './options.ts'
import type { FoundPhrase, Reading } from './reading.ts'

/** @returns phrases sorted by start */
export type Extract = (reading: Reading) => readonly FoundPhrase[]

function createExtract(name: ExtractorName, options: PhraseOptions): Extract {
  switch (name) {
    case 'chunker':
      return ({ words }) => nounPhrases(words, options.of)
    case 'glip-nltk':
      return ({ words }) => glipNltk(words)
    case 'ngrams':
      return ({ words }) => ngrams(words, options)
    case 'supplied':
      return suppliedPhrases
  }
}

/** The extractor of a config; of a list, phrases that overlap one of an earlier extractor go. */
export function createExtractor(options: PhraseOptions): Extract {
  const [first, ...others] = [options.extractor].flat().map((name) => createExtract(name, options))
  if (others.length === 0) return first!
  return (reading) => {
    const united = [...first!(reading)]
    for (const extract of others) {
      const earlier = [...united]
      united.push(
        ...extract(reading).filter((one) => !earlier.some((other) => spansOverlap(one, other))),
      )
    }
    return united.sort((a, b) => a.start - b.start || a.end - b.end)
  }
}

/** Spans of the dataset as they are, sorted; each is valid and touches a word. */
function suppliedPhrases({ caption, words, supplied = [] }: Reading): readonly FoundPhrase[] {
  return supplied
    .filter((span) => isValidSpan(span, caption))
    .flatMap(({ start, end }) => {
      const first = words.findIndex((word) => word.end > start)
      const last = words.findLastIndex((word) => word.start < end)
      if (first < 0 || last < first) return []
      return [{ start, end, first, last, head: headOf(words, { first, last }) }]
    })
    .sort((a, b) => a.start - b.start || a.end - b.end)
}
