import { describe, expect, it } from 'vitest'
import { chunk } from '../../src/nlp/chunk.ts'
import { textOf, wordsOf } from '../helpers/words.ts'

/** Chunks with their heads. */
function chunksOf(caption: string): string[] {
  const words = wordsOf(caption)
  return chunk(words).map((one) => `${textOf(words, one)} (${words[one.head]!.text})`)
}

describe('chunk', () => {
  it.each([
    ['all the big red boxes', ['all the big red boxes (boxes)']],
    ['a man and a woman', ['a man (man)', 'a woman (woman)']],
    ['a small, brown dog', ['a small brown dog (dog)']],
    ['small, dog', ['dog (dog)']],
    ['a black and white cat', ['a black and white cat (cat)']],
    ['a very tall tree', ['a very tall tree (tree)']],
    ["the man's red hat", ["the man's red hat (hat)"]],
    ['a double decker red bus', ['a double decker red bus (bus)']],
    ['about 200 people', ['about 200 people (people)']],
    ['more than 60 countries', ['more than 60 countries (countries)']],
    ['about people', ['people (people)']],
    ['bus number 9', ['bus number 9 (number)']],
    ['his wife Jan', ['his wife (wife)', 'Jan (Jan)']],
    ['a red car today', ['a red car (car)', 'today (today)']],
    ['several of the very', []],
    ['', []],
  ])('%j', (caption, expected) => {
    expect(chunksOf(caption)).toEqual(expected)
  })

  it('gives runs of words in order, each with its head inside', () => {
    const words = wordsOf('Two old men, a dog and 3 red boats on the lake near a small town')
    const chunks = chunk(words)

    expect(chunks.map(({ first, last }) => [first, last])).toEqual([
      [0, 2],
      [3, 4],
      [6, 8],
      [10, 11],
      [13, 15],
    ])
    for (const { first, last, head } of chunks) expect(head >= first && head <= last).toBe(true)
  })
})
