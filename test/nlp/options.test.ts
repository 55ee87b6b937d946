import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { captionOptionsSchema, phraseOptionsSchema, phraseVolatile } from '../../src/nlp/options.ts'

describe('captionOptionsSchema', () => {
  it('fills in defaults', () => {
    expect(captionOptionsSchema.parse({})).toEqual({
      clean: 'alt-text',
      skipRules: [],
      nfc: true,
      personToken: 'person',
      joinSpacedHyphens: false,
      dropSpeculative: false,
      lang: 'en',
      minWords: 3,
      maxWords: 256,
      maxChars: 4_000,
      dropSpecialTokens: true,
      asciiOnly: false,
      dropEmoji: false,
    })
  })
})

describe('phraseOptionsSchema', () => {
  it('fills in defaults, nested ones too', () => {
    expect(phraseOptionsSchema.parse({ ngrams: { max: 3 } })).toEqual({
      extractor: 'chunker',
      of: 'merge',
      abstract: 'drop',
      genericWords: 'drop',
      attributes: 'keep',
      expand: 'off',
      duplicates: 'first',
      maxWords: 12,
      maxPhrases: 100,
      ngrams: { min: 1, max: 3, maxQueries: 300, stopwordsOnly: 'drop' },
      timeoutMs: 10_000,
    })
  })

  it('takes one extractor or several', () => {
    for (const extractor of ['ngrams', ['supplied', 'chunker']]) {
      expect(phraseOptionsSchema.parse({ extractor })).toMatchObject({ extractor })
    }
  })

  it('has every option that is said to change nothing that is written', () => {
    const keys = Object.keys(phraseOptionsSchema.shape)

    expect(keys).toEqual(expect.arrayContaining([...phraseVolatile]))
  })
})

describe('the sections caption: and phrases:', () => {
  it.each([
    ['caption.clean=all', /caption\.clean: .*"none".*"markup".*"alt-text"/],
    ['caption.skipRules=[hashtags]', /caption\.skipRules\.0: .*"hashtag".*given: "hashtags"/],
    ['caption.lang=de', /caption\.lang: .*"any".*"en"/],
    ['caption.maxChars=20001', /caption\.maxChars: .*20000; given: 20001/],
    ['caption.maxRepeats=0', /caption\.maxRepeats: /],
    ['phrases.extractor=[]', /phrases\.extractor: /],
    ['phrases.extractor=spacy', /phrases\.extractor: /],
    ['phrases.maxPhrases=1001', /phrases\.maxPhrases: .*1000; given: 1001/],
    ['phrases.ngrams={ min: 4, max: 3 }', /phrases\.ngrams: min must not be above max/],
    ['phrases.ngrams.max=21', /phrases\.ngrams\.max: /],
    ['phrases.timeoutMs=49', /phrases\.timeoutMs: .*50; given: 49/],
  ])('refuse %s and say why', async (setting, message) => {
    const loading = loadConfig(undefined, [setting])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})
