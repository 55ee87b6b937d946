// The `filter:` and `balance:` sections: which candidates become regions, and which samples are kept.

import { z } from 'zod'

const score = z.number().min(0).max(1)
const iou = z.number().min(0).max(1)

const nmsSchema = z.strictObject({
  /** `phrase`: among boxes of one phrase; `all`: among all boxes of the image; `none`: no NMS. */
  scope: z.enum(['none', 'phrase', 'all']).default('phrase'),
  /** A box that overlaps a better one by more than this IoU goes. */
  iou: iou.default(0.5),
})

export const filterOptionsSchema = z.strictObject({
  /** Least score of a region; absent: the teacher's own, chosen on gold data. */
  score: score.optional(),
  /** Other least scores, by phrase (lower case) or by head lemma; a phrase goes before its lemma. */
  perPhraseScore: z.record(z.string(), score).default(() => ({})),
  /**
   * Keeps, of each head lemma, this share of its best candidates above `score`; the same for all
   * lemmas, however differently a teacher scores them.
   */
  perPhraseShare: z.number().gt(0).max(1).optional(),
  /** Further least scores, tried one after the other for phrases that have no box yet. */
  passes: z.array(z.strictObject({ score })).default(() => []),
  nms: nmsSchema.prefault({}),
  /** A box that several phrases claim stays with the best of them. */
  bestLabelPerBox: z.boolean().default(false),
  /** The image needs one region of at least this score. */
  imageHasScore: score.optional(),
  minBoxesPerImage: z.int().min(0).default(1),
  /** Phrases with a box. */
  minPhrases: z.int().min(0).default(0),
  /** Least share of the caption's phrases that got a box. */
  groundedShare: z.number().min(0).max(1).default(0),
  box: z
    .strictObject({
      /** px, after clipping. */
      minSide: z.number().min(0).default(1),
      /** Of the image's area. */
      maxAreaShare: z.number().gt(0).max(1).optional(),
      /** Boxes are cut at the image's edges; off, boxes that reach over them go. */
      clip: z.boolean().default(true),
    })
    .prefault({}),
  /** Which repeats go: `pair`: same image bytes and caption; `image`: same image bytes; `none`. */
  dedup: z.enum(['none', 'pair', 'image']).default('pair'),
  /** Also drops images whose 64-bit dHash is this near to an earlier one; bits. */
  nearDuplicateBits: z.int().min(0).max(7).optional(),
})

export type FilterOptions = z.output<typeof filterOptionsSchema>

export const balanceOptionsSchema = z.strictObject({
  /**
   * Samples wanted per head lemma, t: each lemma of a sample with n samples is drawn with
   * probability min(1, t / n), and the sample stays if one of its lemmas is drawn.
   */
  phrase: z.int().min(1).optional(),
  /** Regions go whose head lemma is in fewer samples. */
  minCount: z.int().min(1).default(1),
  /** Of the draw, which depends on it and on the sample's image and caption alone. */
  seed: z.int().default(0),
})

export type BalanceOptions = z.output<typeof balanceOptionsSchema>
