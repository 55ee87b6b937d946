import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCleaner, toNfc } from '../../src/nlp/clean.ts'
import { MappedText } from '../../src/nlp/mapped-text.ts'
import { captionOptionsSchema } from '../../src/nlp/options.ts'

function clean(caption: string, options: object = {}) {
  return createCleaner(captionOptionsSchema.parse(options))(caption)
}

const cleaned = (caption: string, options: object = {}) => clean(caption, options).mapped.text

describe('createCleaner', () => {
  it.each([
    ['A cat &amp;amp; a dog', 'A cat & a dog'],
    ['<b>Sale!</b> Wooden chair with cushion', 'Sale! Wooden chair with cushion'],
    ['red apple&nbsp;on a\n\n  white plate ', 'red apple on a white plate'],
    ['Premium Photo | Side view of a girl with a bicycle', 'Side view of a girl with a bicycle'],
    ['Stock photo of a puppy on green grass', 'a puppy on green grass'],
    ['Royalty free image of two women shaking hands', 'two women shaking hands'],
    ['picture of a woman with hands up -- stock photo #', 'picture of a woman with hands up'],
    ['Happy family having breakfast, stock photography', 'Happy family having breakfast'],
    ['RT @cityzoo: baby elephant #zoo', 'baby elephant'],
    ['the #1 fan in row #12', 'the #1 fan in row #12'],
    ['50% off: 4-piece bedding set', '4-piece bedding set'],
    ['IMG_20190412_183011.jpg', ''],
    ['5 < 6 and a > b', '5 < 6 and a > b'],
    ['a man at 3 p.m. | Home', 'a man at 3 p.m.'],
    ['Red | Blue', 'Red | Blue'],
  ])('alt-text: %j', (caption, expected) => {
    expect(cleaned(caption)).toBe(expected)
  })

  it.each([
    // Names of HTML 4 and 5, each in its own case.
    ['voil&agrave; &hellip; &euro;5 &Omega; &omega; &Eacute;cole', 'voilà … €5 Ω ω École'],
    ['a &star; and &NotEqualTilde;', 'a ☆ and ≂̸'],
    // Names in capitals, as captions in capitals have them.
    ['A CAF&EACUTE; &NBSP; &HELLIP;', 'A CAFé …'],
    // Escaped twice, and no more than twice.
    ['a fox &amp;hellip; &amp;#8211; a hen', 'a fox … – a hen'],
    ['a fox &amp;amp;hellip;', 'a fox &hellip;'],
    // Without a semicolon, as browsers read attributes: only old names, and no part of a word.
    ['Tom &amp Jerry, 5 &lt 6, &copy 2020 &amp', 'Tom & Jerry, 5 < 6, © 2020 &'],
    ['guitar&amplifier, bed&notebook, &hellip x', 'guitar&amplifier, bed&notebook, &hellip x'],
    ['a=1&copy=2', 'a=1&copy=2'],
    ['it&#39s &#x27x&#x27', "it's 'x'"],
    // Numbers as HTML says: those of Windows-1252 are read as such, what can be no character is U+FFFD.
    ['&#128;5 &#150; &#x1F600;', '€5 – 😀'],
    ['a &#0; b &#xD800; c &#x110000; d &#99999999999;', 'a � b � c � d �'],
    ['a &#7; b', 'a b'],
    // No entities at all.
    ['AT&T, Q&A, R&D; M&Ms; fish & chips', 'AT&T, Q&A, R&D; M&Ms; fish & chips'],
    ['&; &#; &#x; &nonsense; &notit;', '&; &#; &#x; &nonsense; &notit;'],
  ])('entities: %j', (caption, expected) => {
    expect(cleaned(caption)).toBe(expected)
  })

  it('keeps the place of an entity in the source', () => {
    const caption = 'a cr&egrave;me &amp;amp; br&ucirc;l&eacute;e'

    const { mapped, applied } = clean(caption)

    expect(mapped.text).toBe('a crème & brûlée')
    expect(applied).toEqual(['entity', 'entity-again'])
    expect(mapped.toSource({ start: 2, end: 7 })).toEqual({ start: 2, end: 14 })
    expect(mapped.toSource({ start: 8, end: 9 })).toEqual({ start: 15, end: 24 })
    expect(mapped.fromSource({ start: 25, end: 45 })).toEqual({ start: 10, end: 16 })
  })

  it('leaves hashtags and boilerplate with `markup`, everything but the ends with `none`', () => {
    const caption = ' Stock photo of a dog &amp; a cat #pets '

    expect(cleaned(caption, { clean: 'markup' })).toBe('Stock photo of a dog & a cat #pets')
    expect(cleaned(caption, { clean: 'none' })).toBe('Stock photo of a dog &amp; a cat #pets')
  })

  it('leaves out the rules it is told to', () => {
    const caption = 'a barn #farm www.example.com'

    expect(cleaned(caption)).toBe('a barn')
    expect(cleaned(caption, { skipRules: ['hashtag'] })).toBe('a barn #farm')
    expect(cleaned(caption, { skipRules: ['hashtag', 'url'] })).toBe(caption)
    expect(() => cleaned(caption, { skipRules: ['hashtags'] })).toThrow(/hashtag/)
  })

  it('takes out control and invisible characters, and keeps the joiners of emoji', () => {
    const family = '👨\u200d👩\u200d👧'

    expect(cleaned(`a\u0000 red\u0007barn,\u200b ${family}\u202e by\u0085a lake`)).toBe(
      `a red barn, ${family} by a lake`,
    )
  })

  it('stores composed characters, whose spans lead back to the source', () => {
    const caption = 'a cafe\u0301 on the A\u030angstro\u0308m, \u212b &amp; u&#776;ber'

    const { mapped, applied } = clean(caption)

    expect(mapped.text).toBe('a café on the Ångström, Å & über')
    expect(applied).toContain('nfc')
    const { start, end } = mapped.toSource({ start: 2, end: 6 })
    expect(caption.slice(start, end)).toBe('cafe\u0301')
    expect(mapped.fromSource({ start: 2, end: 7 })).toEqual({ start: 2, end: 6 })
    expect(cleaned('a cafe\u0301', { nfc: false })).toBe('a cafe\u0301')
    expect(cleaned(' a cafe\u0301 ', { clean: 'none' })).toBe('a café')
  })

  it('gives the NFC of any text', () => {
    const marked = fc
      .array(
        fc.constantFrom(
          'e',
          '\u0301',
          '\u0323',
          '\u1100',
          '\u1161',
          '\u11a8',
          '\u212b',
          '\u0b47',
          '\u0b3e',
        ),
      )
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(marked, fc.string({ unit: 'binary' })), (text) => {
        expect(toNfc(new MappedText(text)).text).toBe(text.normalize('NFC'))
      }),
    )
  })

  it('stores NFC whatever it takes out', () => {
    const parts = ['e', '\u0301', '<b>', '&#769;', ' ', '#tag', '\u200b', '- stock photo', 'a|b']
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 12 }), (some) => {
        const text = cleaned(some.join(''))
        expect(text).toBe(text.normalize('NFC'))
      }),
    )
  })

  it('reads <PERSON> as a person, or takes it out', () => {
    const caption = "<PERSON>'s new house, built by <PERSON>"

    expect(cleaned(caption)).toBe("person's new house, built by person")
    expect(cleaned(caption, { personToken: 'drop' })).toBe("'s new house, built by")
  })

  it('joins hyphens with spaces on request only', () => {
    const caption = 'an off - the - shoulder gown'

    expect(cleaned(caption)).toBe(caption)
    expect(cleaned(caption, { joinSpacedHyphens: true })).toBe('an off-the-shoulder gown')
  })

  it('cuts clauses that guess or deny, and what then begins with a preposition', () => {
    const caption =
      'A man holds a cup, possibly of coffee. On the table, there seems to be a book. A dog sleeps.'

    expect(cleaned(caption, { dropSpeculative: true })).toBe('A man holds a cup. A dog sleeps.')
    expect(cleaned(caption)).toBe(caption)
  })

  it('maps every word back to the source', () => {
    const caption = '<p>FILE PHOTO: A&nbsp;red &quot;fire&quot; truck</p> #fire'
    const { mapped, applied } = clean(caption)

    const at = mapped.text.indexOf('truck')
    const { start, end } = mapped.toSource({ start: at, end: at + 5 })
    expect(caption.slice(start, end)).toBe('truck')
    expect(applied).toContain('entity')
  })
})
