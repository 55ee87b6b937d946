import { describe, expect, it } from 'vitest'
import { applyCleanRule } from '../../src/nlp/clean.ts'
import { CLEAN_RULES } from '../../src/nlp/clean-rules.ts'
import { MappedText } from '../../src/nlp/mapped-text.ts'

function applied(name: string, caption: string): string {
  const rule = CLEAN_RULES.find((one) => one.name === name)!
  return applyCleanRule(new MappedText(caption), rule).text
}

describe('CLEAN_RULES', () => {
  it.each(CLEAN_RULES)('$name: $reason', (rule) => {
    const [before, after] = rule.example

    expect(applyCleanRule(new MappedText(before), rule).text).toBe(after)
  })

  it.each([
    ['entity', 'AT&T and R&D; a &nosuch; name'],
    ['invisible', 'a family \u{1F468}\u200d\u{1F469}\u200d\u{1F467} on a beach'],
    ['tag', '<PERSON> with 2 < 3 apples'],
    ['email', 'a cat @ the window'],
    ['file-name', 'version 2.5 of a map, no.5'],
    ['camera-name', 'a t-shirt, a 4x4 and IMG'],
    ['hashtag', 'jersey #12 in C# blue'],
    ['mention', 'lunch @ 5'],
    ['stock-prefix', 'a stock photo album on a table'],
    ['stock-suffix', 'a farm with live stock'],
    ['site-suffix', 'Red shoes | Blue shoes'],
    ['article-number', 'a model number plate, part of a wall'],
    ['offer', 'a bestseller-list, 100% cotton'],
  ])('%s leaves %j', (name, caption) => {
    expect(applied(name, caption)).toBe(caption)
  })

  it('have names of their own, which skipRules takes', () => {
    expect(new Set(CLEAN_RULES.map(({ name }) => name)).size).toBe(CLEAN_RULES.length)
  })
})
