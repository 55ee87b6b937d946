// The sections `caption:` and `phrases:` of a config. Published values and their sources are named
// where they are the default; everything else is ours.

import { z } from 'zod'
import { CLEAN_RULES } from './clean-rules.ts'

/** The section `caption:` with its defaults. */
export const captionOptionsSchema = z.strictObject({
  /**
   * What is taken out of the stored caption: `markup` decodes HTML entities and removes tags, URLs and
   * file names; `alt-text` also removes hashtags, mentions and the boilerplate of stock-photo sites and
   * shops; `none` takes nothing out.
   */
  clean: z.enum(['none', 'markup', 'alt-text']).default('alt-text'),
  /** Rules of clean-rules.ts that `clean` leaves out. */
  skipRules: z.array(z.enum(CLEAN_RULES.map(({ name }) => name))).default([]),
  /** Stores the caption in Unicode's composed form (NFC): "é" is one character, not "e" and an accent. */
  nfc: z.boolean().default(true),
  /** What a placeholder such as `<PERSON>` becomes. */
  personToken: z.enum(['person', 'drop']).default('person'),
  /** Joins "off - the - shoulder" to "off-the-shoulder": Conceptual Captions are tokenized that way. */
  joinSpacedHyphens: z.boolean().default(false),
  /** Cuts clauses that guess ("possibly", "appears to be"), as LLMDet does with generated captions. */
  dropSpeculative: z.boolean().default(false),
  /** `en` rejects captions in another script or with more foreign than English function words. */
  lang: z.enum(['any', 'en']).default('en'),
  /** Words, inclusive, after cleaning. Defaults: COYO-700M. */
  minWords: z.int().min(1).default(3),
  maxWords: z.int().min(1).default(256),
  /** UTF-16 code units, before cleaning. */
  maxChars: z.int().min(1).max(20_000).default(4_000),
  /** Rejects captions that contain a BERT token such as [SEP] (MM-Grounding-DINO, Open-GroundingDino). */
  dropSpecialTokens: z.boolean().default(true),
  asciiOnly: z.boolean().default(false),
  dropEmoji: z.boolean().default(false),
  /**
   * How many rows of a shard may have the same cleaned caption; later ones are rejected as
   * caption_repeated before anything is fetched. Counted inside each shard, because shards are labelled
   * apart; over a whole run `filter.maxCaptionRepeats` counts. COYO-700M: 10, over the data set.
   */
  maxRepeats: z.int().min(1).optional(),
})

/** Names of the ways of asking. */
export const EXTRACTORS = ['chunker', 'glip-nltk', 'ngrams', 'supplied'] as const
const extractorName = z.enum(EXTRACTORS)

/** The section `phrases:` with its defaults. */
export const phraseOptionsSchema = z.strictObject({
  /** One extractor, or a list whose phrases are united; of overlapping phrases the earlier name's win. */
  extractor: z.union([extractorName, z.array(extractorName).min(1)]).default('chunker'),
  /** Whether "a group of people" is one phrase or two. Frames such as "a photo of" never join. */
  of: z.enum(['merge', 'split']).default('merge'),
  /** Phrases whose head cannot be seen (time, love, freedom), by the list in words/abstract.ts. */
  abstract: z.enum(['drop', 'keep']).default('drop'),
  /** Phrases whose head is about the medium (photo, image, wallpaper, stock), by words/generic.ts. */
  genericWords: z.enum(['drop', 'keep']).default('drop'),
  /** Phrases with adjectives: kept, dropped (Rex-Omni), or cut down to their nouns. */
  attributes: z.enum(['keep', 'drop', 'strip']).default('keep'),
  /** `grit`: grows each phrase to a referring expression ("a dog in a field"), nested ones dropped. */
  expand: z.enum(['off', 'grit']).default('off'),
  /** A text that comes again in the caption: kept as it is, or only its first occurrence. */
  duplicates: z.enum(['first', 'keep']).default('first'),
  /** Longer phrases are dropped: keyword strings, not names of things. Expressions may be longer. */
  maxWords: z.int().min(1).default(12),
  /** Phrases per caption, the first ones by position. */
  maxPhrases: z.int().min(1).max(1_000).default(100),
  ngrams: z
    .strictObject({
      /** Words per n-gram, inclusive, and n-grams per caption, the shortest first. Defaults: OWL-ST. */
      min: z.int().min(1).default(1),
      max: z.int().min(1).max(20).default(10),
      maxQueries: z.int().min(1).max(1_000).default(300),
      stopwordsOnly: z.enum(['drop', 'keep']).default('drop'),
    })
    .prefault({})
    .refine(({ min, max }) => min <= max, 'min must not be above max'),
  /** Wall-clock milliseconds for one caption; beyond, it is rejected as phrases_timeout. */
  timeoutMs: z.int().min(50).default(10_000),
})

/** Options of `phrases:` that do not change what is written. */
export const phraseVolatile: readonly string[] = ['timeoutMs']

/** What `caption:` says, defaults filled in. */
export type CaptionOptions = z.output<typeof captionOptionsSchema>
/** What `phrases:` says, defaults filled in. */
export type PhraseOptions = z.output<typeof phraseOptionsSchema>
/** The sections of a config that decide what is found. */
export interface PhraseConfig {
  readonly caption: CaptionOptions
  readonly phrases: PhraseOptions
}
/** One of EXTRACTORS. */
export type ExtractorName = (typeof EXTRACTORS)[number]
