import { describe, expect, it } from 'vitest'
import { Lexicon } from '../../src/nlp/lexicon.ts'
import { RULES } from '../../src/nlp/tag-rules.ts'
import { createTagger } from '../../src/nlp/tag.ts'
import { tokenize } from '../../src/nlp/tokenize.ts'

const lexicon = new Lexicon()
const tagger = createTagger(lexicon)

describe('RULES', () => {
  it('has one name and one reason each', () => {
    expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length)
    expect(new Set(RULES.map(({ reason }) => reason)).size).toBe(RULES.length)
  })

  it.each(RULES)('$name decides its example: $reason', ({ name, example }) => {
    const words = tagger.tag(tokenize(example.caption))
    const word = words.find(({ text }) => text === example.word)

    expect({ rule: word?.rule, tag: word?.tag }).toEqual({ rule: name, tag: example.tag })
  })

  it.each(RULES)('without $name its example is read otherwise', ({ name, example }) => {
    const words = createTagger(lexicon, new Set([name])).tag(tokenize(example.caption))

    expect(words.find(({ text }) => text === example.word)?.rule).not.toBe(name)
  })
})

describe('createTagger', () => {
  it('knows fixed groups, none of whose words is a noun', () => {
    const words = tagger.tag(tokenize('A dog in front of a house'))

    expect(words.map(({ tag }) => tag).join('')).toBe('DNIIIDN')
  })

  it('takes capitals for names only where not every word has one', () => {
    const named = tagger.tag(tokenize('A view of the Stone Park bridge'))
    const titled = tagger.tag(tokenize('Two Stone Park Dogs Running'))

    expect(named.find(({ text }) => text === 'Park')?.tag).toBe('P')
    expect(titled.find(({ text }) => text === 'Park')?.tag).toBe('N')
  })

  it.each([
    [
      'a group of things or people does what its members do',
      'Group of boys post on a wall',
      'post',
      'V',
    ],
    [
      'what "and" adds to clothing is no subject',
      'A girl in a coat and gloves stumbles as it rains',
      'stumbles',
      'V',
    ],
    [
      'a thing that "and" joins at the end is no subject',
      'A man with a scarf and a nose ring',
      'ring',
      'N',
    ],
    ['no finite verb follows a participle', 'A child opening presents on a bed', 'presents', 'N'],
    [
      'a material and a participle describe together',
      'A large steel reinforced door',
      'reinforced',
      'M',
    ],
    [
      'after an insertion, an -s word before "to" is a verb',
      'A man, wearing a hat, pauses to drink',
      'pauses',
      'V',
    ],
    ['a group of things keeps its compound', 'A pile of wood blocks', 'blocks', 'N'],
    ['what "and" joins with an article may be a subject', 'A man and a woman ride', 'ride', 'V'],
  ])('%s: %s', (_, caption, text, tag) => {
    const word = tagger.tag(tokenize(caption)).find((one) => one.text === text)

    expect(word?.tag).toBe(tag)
  })
})
