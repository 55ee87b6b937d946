import { expect, it } from 'vitest'
import { phraseOf } from '../../src/nlp/reading.ts'
import { wordsOf } from '../helpers/words.ts'

it('takes the span of a phrase from its words', () => {
  const caption = '  an old 🐕 dog, barking'
  const words = wordsOf(caption)

  const phrase = phraseOf(words, { first: 1, last: 2, head: 2 })

  expect(phrase).toEqual({ start: 5, end: 15, first: 1, last: 2, head: 2 })
  expect(caption.slice(phrase.start, phrase.end)).toBe('old 🐕 dog')
})
