import { describe, expect, it } from 'vitest'
import { tokenize } from '../../src/nlp/tokenize.ts'

const words = (text: string) => tokenize(text).map((token) => token.text)

describe('tokenize', () => {
  it.each([
    ['a T-shirt, mid-air', ['a', 'T-shirt', 'mid-air']],
    ["a man's hat and the boys' bikes", ['a', "man's", 'hat', 'and', 'the', "boys'", 'bikes']],
    ['AT&T store at 10:30 a.m.', ['AT&T', 'store', 'at', '10:30', 'a.m.']],
    ['3.5 kg, 1,000 men', ['3.5', 'kg', '1,000', 'men']],
    ['red/blue 1/2', ['red', 'blue', '1/2']],
    ['- # ! --', []],
    ['naïve İstanbul', ['naïve', 'İstanbul']],
    ['e\u0301t\u00e9', ['e\u0301t\u00e9']],
    ['mail me@a.org now', ['mail', 'me@a.org', 'now']],
  ])('splits %j', (text, expected) => {
    expect(words(text)).toEqual(expected)
  })

  it('says what stands between words', () => {
    const gaps = tokenize('a dog, "black" cat - bird/fish').map(({ gap }) => gap)

    expect(gaps).toEqual(['break', 'space', 'break', 'quote', 'break', 'break'])
  })

  it('never cuts a surrogate pair and skips lone halves', () => {
    expect(words('a\ud800 \udc00dog 🐕‍🦺 𝒜cat')).toEqual(['a', 'dog', '𝒜cat'])
  })
})
