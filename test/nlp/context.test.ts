import { describe, expect, it } from 'vitest'
import {
  clauseHasVerb,
  isBeforeNoun,
  isNominal,
  phraseStart,
  subjectNumber,
  tagAfter,
  tagBefore,
} from '../../src/nlp/context.ts'
import { wordsOf } from '../helpers/words.ts'

/** The words of a caption and the index of one of them. */
function at(caption: string, text: string) {
  const words = wordsOf(caption)
  return [words, words.findIndex((word) => word.text === text)] as const
}

describe('neighbours', () => {
  it('have classes, unless a break or a comma stands between', () => {
    expect(tagBefore(...at('a red dog', 'dog'))).toBe('J')
    expect(tagBefore(...at('red, dog', 'dog'))).toBe('')
    expect(tagBefore(...at('dog', 'dog'))).toBe('')
    expect(tagAfter(...at('a red dog', 'a'))).toBe('J')
    expect(tagAfter(...at('dog. A cat', 'dog'))).toBe('')
    expect(tagAfter(...at('a dog', 'dog'))).toBe('')
  })
})

describe('isNominal', () => {
  it.each([
    ['a dog', 'dog', true],
    ['two runs', 'runs', true],
    ['a very red dog', 'very', false],
    ['a dog is here', 'is', false],
  ])('in %j of %j: %s', (caption, text, expected) => {
    const [words, i] = at(caption, text)

    expect(isNominal(words[i]!)).toBe(expected)
  })
})

describe('isBeforeNoun', () => {
  it.each([
    ['a red dog', 'red', true],
    ['a red and white dog', 'red', true],
    ['a small, brown dog', 'small', true],
    ['a dog is red', 'red', false],
    ['the red in the flag', 'red', false],
    ['a red, dog', 'red', false],
    ['the red one', 'red', true],
  ])('in %j of %j: %s', (caption, text, expected) => {
    expect(isBeforeNoun(...at(caption, text))).toBe(expected)
  })
})

describe('phraseStart', () => {
  it.each([
    ['near the big red dog sits', 'sits', 'the'],
    ['two dogs run', 'run', 'two'],
    ['in a box, dogs run', 'run', 'dogs'],
    ['with run', 'run', 'run'],
  ])('in %j before %j: %j', (caption, text, expected) => {
    const [words, i] = at(caption, text)

    expect(words[phraseStart(words, i)]!.text).toBe(expected)
  })
})

describe('subjectNumber', () => {
  it.each([
    ['two dogs run', 'run', { mayBePlural: true, maySingular: false, isNearest: true }],
    ['a dog runs', 'runs', { mayBePlural: false, maySingular: true, isDetermined: true }],
    // A preposition governs the nearest phrase: the subject is left of it.
    ['two men in a boat row', 'row', { mayBePlural: true, maySingular: false, isNearest: false }],
    ['a man with two dogs walks', 'walks', { maySingular: true, mayBePlural: false }],
    // Groups, and what "and" joins, may do either.
    ['a team plays', 'plays', { mayBePlural: true, maySingular: true }],
    ['a boy and a girl play', 'play', { mayBePlural: true, maySingular: true }],
    ['a group of boys post letters', 'post', { mayBePlural: true, maySingular: true }],
    ['run', 'run', { mayBePlural: true, maySingular: true, isNearest: false }],
  ])('in %j of %j', (caption, text, expected) => {
    expect(subjectNumber(...at(caption, text))).toMatchObject(expected)
  })
})

describe('clauseHasVerb', () => {
  it.each([
    ['a dog is running', 'running', true],
    ['a dog in a running race', 'race', false],
    ['a dog is here. A cat sleeps', 'sleeps', false],
    ['a man is here while a dog sleeps', 'sleeps', false],
  ])('in %j before %j: %s', (caption, text, expected) => {
    expect(clauseHasVerb(...at(caption, text))).toBe(expected)
  })
})
