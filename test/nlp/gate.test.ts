import { describe, expect, it } from 'vitest'
import { createPhraseFinder } from '../../src/nlp/find-phrases.ts'
import { captionOptionsSchema, phraseOptionsSchema } from '../../src/nlp/options.ts'
import { textsOf } from '../helpers/phrases.ts'

const codeOf = (caption: string, cleaning: object = {}) => {
  const result = textsOf(caption, {}, cleaning)
  return typeof result === 'string' ? result : 'read'
}

describe('captions that are not read', () => {
  it.each([
    ['', 'caption_empty'],
    [' \t\n', 'caption_empty'],
    ['DSC_0451.jpg', 'caption_boilerplate'],
    ['...', 'caption_boilerplate'],
    ['a dog [SEP] a cat', 'caption_special_token'],
    ['Une femme tenant un parapluie rouge sous la pluie', 'caption_language'],
    ['Zwei Hunde spielen mit einem Ball im Schnee', 'caption_language'],
    ['Un hombre montando a caballo en la playa', 'caption_language'],
    ['Kobieta z rowerem na moście', 'caption_language'],
    ['雪の中で遊ぶ二匹の犬', 'caption_script'],
    ['Красная машина на улице', 'caption_script'],
    ['امرأة تحمل مظلة حمراء', 'caption_script'],
    ['A crème brûlée on a plate', 'read'],
    ['Vintage Lampe aus Holz with white shade', 'read'],
    ['A red Škoda in a street', 'read'],
    ['A die on the table, no cup', 'read'],
  ])('%j: %s', (caption, code) => {
    expect(codeOf(caption)).toBe(code)
  })

  it.each([
    ['https://example.com/a?b=1', 'url'],
    ['shop@example.com', 'email'],
    ['<br/><!-- a dog -->', 'tag'],
    ['#dog #cat', 'hashtag'],
    ['sofa_grey_02.png', 'file-name'],
  ])('names the rules that left nothing of %j', (caption, rule) => {
    const result = createPhraseFinder({
      caption: captionOptionsSchema.parse({}),
      phrases: phraseOptionsSchema.parse({}),
    })({ caption })

    expect(result).toMatchObject({ code: 'caption_boilerplate' })
    expect('detail' in result && result.detail).toMatch(
      new RegExp(`^no word is left after .*${rule}`),
    )
  })

  it('counts words after cleaning and characters before', () => {
    expect(codeOf('red barn #barn', { minWords: 3 })).toBe('caption_too_short')
    expect(codeOf('a red barn by a lake', { maxWords: 5 })).toBe('caption_too_long')
    expect(codeOf('a dog on a sofa', { maxChars: 10 })).toBe('caption_too_long')
  })

  it('has gates that are open by default', () => {
    expect(codeOf('a café')).toBe('read')
    expect(codeOf('a café', { asciiOnly: true })).toBe('caption_not_ascii')
    expect(codeOf('a dog 🐕')).toBe('read')
    expect(codeOf('a dog 🐕', { dropEmoji: true })).toBe('caption_emoji')
    expect(codeOf('dog #1 *new*', { dropEmoji: true })).toBe('read')
    expect(codeOf('a dog [SEP] a cat', { dropSpecialTokens: false })).toBe('read')
    expect(codeOf('Ein Hund im Garten', { lang: 'any' })).toBe('read')
  })
})
