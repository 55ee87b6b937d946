// The `filter:` and `balance:` sections: which candidates become regions, and which samples are kept.
// Values that a publication gives are named in the recipes of configs/.

import { z } from 'zod'

const share = z.number().min(0).max(1)

const nmsSchema = z.strictObject({
  /** `phrase`: among boxes of one phrase; `all`: among all boxes of the image; `none`: no NMS. */
  scope: z.enum(['none', 'phrase', 'all']).default('phrase'),
  /** A box that overlaps a better one by more than this IoU goes. */
  iou: share.default(0.5),
})

const passSchema = z.strictObject({
  score: share,
  /** IoU of the NMS among boxes of this pass, in place of `nms.iou`; 1 keeps all of them. */
  iou: share.optional(),
})

/** `filter:`, with defaults. */
export const filterOptionsSchema = z
  .strictObject({
    /** Least score of a region; absent: the teacher's own, chosen on gold data. */
    score: share.optional(),
    /**
     * Factors on the scores of some phrases, by phrase or by head lemma, before every other
     * rule: OWL-ST has 0.3 for names of a curated list among n-grams. The first entry that has it counts.
     */
    scale: z
      .array(
        z.strictObject({
          phrases: z.array(z.string().min(1)).min(1),
          factor: z.number().gt(0).max(1),
        }),
      )
      .default(() => []),
    /**
     * Other least scores by type of phrase: `bare` ("a dog"), `modified` (words before the head: "a
     * brown dog"), `expression` (words behind it: "a dog on a beach").
     */
    perTypeScore: z
      .strictObject({
        bare: share.optional(),
        modified: share.optional(),
        expression: share.optional(),
      })
      .prefault({}),
    /** Other least scores, by phrase or by head lemma; a phrase goes before its lemma, a lemma before a type. */
    perPhraseScore: z.record(z.string(), share).default(() => ({})),
    /**
     * Keeps, of each head lemma, this share of its best candidates above `score`; the same for all
     * lemmas, however differently a teacher scores them.
     */
    perPhraseShare: z.number().gt(0).max(1).optional(),
    /** Further least scores, tried one after the other for phrases that have no box yet. */
    passes: z.array(passSchema).default(() => []),
    nms: nmsSchema.prefault({}),
    /** A box that several phrases claim stays with the best of them. */
    bestLabelPerBox: z.boolean().default(false),
    /** Only phrases of this list, by phrase or by head lemma; absent: all. */
    onlyPhrases: z.array(z.string().min(1)).min(1).optional(),
    /** Phrases without regions, by phrase or by head lemma. */
    blockPhrases: z.array(z.string().min(1)).default(() => []),
    /**
     * What becomes of a phrase inside another one that has boxes, too. `span`: it goes if it lies inside
     * the other in the caption; `text`: also if its text is a part of the other's text, which
     * Open-GroundingDino cannot tell apart; `keep`: nothing.
     */
    nested: z.enum(['keep', 'span', 'text']).default('keep'),
    /** Best boxes kept; absent: all. */
    maxBoxesPerPhrase: z.int().min(1).optional(),
    maxBoxesPerImage: z.int().min(1).optional(),
    /** The image needs one region of at least this score. */
    imageHasScore: share.optional(),
    minBoxesPerImage: z.int().min(0).default(1),
    /** Phrases with a box. */
    minPhrases: z.int().min(0).default(0),
    /** Least share of the caption's phrases that got a box. */
    groundedShare: share.default(0),
    box: z
      .strictObject({
        /** px, after clipping. */
        minSide: z.number().min(0).default(1),
        /** Of the image's area. */
        maxAreaShare: z.number().gt(0).max(1).optional(),
        /** Longer side over shorter side. */
        maxAspect: z.number().min(1).optional(),
        /** Boxes are cut at the image's edges; off, boxes that reach over them go. */
        clip: z.boolean().default(true),
      })
      .prefault({}),
    /** Which repeats go: `pair`: same image bytes and caption; `image`: same image bytes; `none`. */
    dedup: z.enum(['none', 'pair', 'image']).default('pair'),
    /** Also drops images whose 64-bit dHash is this near to an earlier one; bits. */
    nearDuplicateBits: z.int().min(0).max(7).optional(),
    /**
     * File of images that must not be exported, such as those of an evaluation set: one sha256 (64 hex
     * digits) or dHash (16) per line. dHashes match within `nearDuplicateBits`. Path relative to the
     * working directory.
     */
    blockedImages: z.string().min(1).optional(),
    /** Captions go that come in more rows of the run: boilerplate. */
    maxCaptionRepeats: z.int().min(1).optional(),
  })
  .refine(
    ({ nms, passes }) => nms.scope === 'phrase' || passes.every((one) => one.iou === undefined),
    {
      path: ['passes'],
      message: 'an iou per pass needs nms.scope: phrase',
    },
  )

/** Parsed. */
export type FilterOptions = z.output<typeof filterOptionsSchema>

/** With the teacher's score where none was set. */
export type ScoredFilter = FilterOptions & { readonly score: number }

/** `balance:`, with defaults. */
export const balanceOptionsSchema = z.strictObject({
  /** Regions go whose head lemma is in fewer samples. */
  minCount: z.int().min(1).default(1),
  /**
   * Samples wanted per head lemma, t: each lemma of a sample with n samples is drawn with
   * probability min(1, t / n), and the sample stays if one of its lemmas is drawn.
   */
  phrase: z.int().min(1).optional(),
  /** Samples in which a head lemma may have regions, the first ones of the run; a hard limit. */
  maxPerPhrase: z.int().min(1).optional(),
  /** Samples in all, drawn from what is left. */
  maxSamples: z.int().min(1).optional(),
  /** Of the draws, which depend on it and on the sample's image and caption alone. */
  seed: z.int().default(0),
})

/** Parsed. */
export type BalanceOptions = z.output<typeof balanceOptionsSchema>
