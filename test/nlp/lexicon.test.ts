import { describe, expect, it } from 'vitest'
import { addS, MAY } from '../../src/nlp/lexicon.ts'
import { lexicon } from '../helpers/words.ts'

describe('Lexicon', () => {
  it.each([
    ['the', 'D'],
    ['and', 'C'],
    ['to', 'T'],
    ['of', 'I'],
    ['is', 'A'],
    ['she', 'O'],
    ['three', '#'],
    ['which', 'W'],
    ['always', 'R'],
    ['wooden', 'J'],
    ['dog', 'N'],
    ['giraffes', 'N'],
    ['sit', 'V'],
    ['sits', 'V'],
    ['ate', 'E'],
    ['paris', 'P'],
  ])('knows %j as %s', (word, tag) => {
    expect(lexicon.lookUp(word)).toMatchObject({ tag, isKnown: true })
    expect(lexicon.knows(word)).toBe(true)
  })

  it('knows what else a word may be', () => {
    const may = (word: string) => lexicon.lookUp(word).may

    expect(may('surf') & MAY.noun).not.toBe(0)
    expect(may('surf') & MAY.base).not.toBe(0)
    expect(may('surfs') & MAY.thirdPerson).not.toBe(0)
    expect(may('orange')).toBe(MAY.adjective | MAY.noun)
    expect(may('the')).toBe(0)
    // "arrives" is no plural: there is no noun "arrive".
    expect(may('arrives')).toBe(MAY.thirdPerson)
  })

  it.each([
    ['grobbling', 'G', MAY.gerund],
    ['grobbled', 'E', MAY.past],
    ['grobbly', 'R', MAY.adverb],
    ['grobbles', 'N', MAY.plural],
    ['grobbable', 'J', MAY.adjective],
    ['grobb', 'N', MAY.noun],
    ["grobb's", 'S', 0],
    ["grobb'll", 'A', 0],
    ['17', '#', 0],
    ['$5', '#', 0],
    ['10:30', '#', 0],
    ['3rd', '#', 0],
    ['1950s', '#', 0],
    ['4x4abc', 'J', MAY.adjective],
    ['shop@a.example', 'P', MAY.name],
    ['a.example', 'P', MAY.name],
    ['grobb-haired', 'J', MAY.adjective],
    ['three-grobb', 'J', MAY.adjective],
    ['grobb-dog', 'N', MAY.noun],
    ['-', 'X', 0],
  ])('guesses %j as %s', (word, tag, may) => {
    expect(lexicon.lookUp(word)).toEqual({ tag, may, isKnown: false })
    expect(lexicon.lookUp(word)).toBe(lexicon.lookUp(word))
  })

  it('knows a plural by its singular, and no nonsense', () => {
    expect(lexicon.knows('dogs')).toBe(true)
    expect(lexicon.knows('grobb')).toBe(false)
    expect(lexicon.knows('constructor')).toBe(false)
  })

  it('forgets guesses, but says the same again', () => {
    const before = lexicon.lookUp('grobbles')
    for (let n = 0; n < 60_000; n++) lexicon.lookUp(`grobb${n}`)

    expect(lexicon.lookUp('grobbles')).toEqual(before)
  })
})

describe('addS', () => {
  it.each([
    ['dog', 'dogs'],
    ['box', 'boxes'],
    ['brush', 'brushes'],
    ['city', 'cities'],
    ['toy', 'toys'],
  ])('%s, %s', (word, expected) => {
    expect(addS(word)).toBe(expected)
  })
})
