import { describe, expect, it } from 'vitest'
import { phraseType } from '../../src/filter/phrase-rules.ts'

describe('phraseType', () => {
  it.each([
    ['dogs', 'dogs', 'bare'],
    ['The dog', 'dog', 'bare'],
    ['12 dogs', 'dogs', 'bare'],
    ['all of the dogs', 'dogs', 'modified'],
    ['a brown dog', 'dog', 'modified'],
    ['a fire truck', 'truck', 'modified'],
    ['a dog on a beach', 'dog', 'expression'],
    ['a dog,', 'dog', 'bare'],
    ['𝒅og', '𝒅og', 'bare'],
    ['running fast', 'dog', 'modified'],
  ] as const)('%s', (text, head, type) => {
    expect(phraseType({ text, head, lemma: head, start: 0, end: text.length })).toBe(type)
  })
})
