// Phrases of captions with options of a test.

import { createPhraseFinder, type PhraseFinder } from '../../src/nlp/find-phrases.ts'
import { captionOptionsSchema, phraseOptionsSchema } from '../../src/nlp/options.ts'

type CaptionInput = Parameters<typeof captionOptionsSchema.parse>[0]
type PhraseInput = Parameters<typeof phraseOptionsSchema.parse>[0]

/** Nothing that was found is dropped, no caption is too short. */
export const EVERYTHING = { abstract: 'keep', genericWords: 'keep', duplicates: 'keep' } as const

const finders = new Map<string, PhraseFinder>()

/** @param phrases options on top of EVERYTHING */
export function finderOf(phrases: object = {}, caption: object = {}): PhraseFinder {
  const options: readonly [CaptionInput, PhraseInput] = [
    { minWords: 1, ...caption },
    { ...EVERYTHING, ...phrases },
  ]
  const key = JSON.stringify(options)
  const made =
    finders.get(key) ??
    createPhraseFinder({
      caption: captionOptionsSchema.parse(options[0]),
      phrases: phraseOptionsSchema.parse(options[1]),
    })
  finders.set(key, made)
  return made
}

/** Texts of the phrases; of a refused caption its code. */
export function textsOf(
  caption: string,
  phrases: object = {},
  cleaning: object = {},
): readonly string[] | string {
  const result = finderOf(phrases, cleaning)({ caption })
  return 'code' in result ? result.code : result.phrases.map(({ text }) => text)
}
