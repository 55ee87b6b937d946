// Options of the `export:` section that several formats have: how kept samples become files.

import { z } from 'zod'

/** By key. A format takes those that mean something in its files, and adds its own. */
export const commonOptions = {
  /** One annotation file, or one per shard. */
  layout: z.enum(['merged', 'sharded']).default('merged'),
  /**
   * `copy` puts every image into images/<shard>/; `none` writes annotations alone, with the same file
   * names; `reference` names local files where they are.
   */
  images: z.enum(['copy', 'none', 'reference']).default('copy'),
  /** What a category is: every phrase (lower case), its head lemma, or one of a given list. */
  categories: z
    .strictObject({
      by: z.enum(['phrase', 'head', 'list']).default('head'),
      /**
       * Names for `list`; a region belongs to the one that equals its phrase, else its head lemma, and
       * goes if there is none.
       */
      list: z.array(z.string().min(1)).default(() => []),
    })
    .refine(({ by, list }) => (by === 'list') === list.length > 0, {
      path: ['list'],
      message: 'give names with by: list, and only there',
    })
    .prefault({}),
  /**
   * Categories that an image's caption does not speak of, drawn from those of the whole export; written as
   * `negatives` (ODVG) or `neg_category_ids` (COCO, as in LVIS).
   */
  negatives: z
    .strictObject({
      perImage: z.int().min(0).max(1000).default(0),
      /** The draw depends on it, the image and the caption alone. */
      seed: z.int().default(0),
    })
    .prefault({}),
  /** False tells a trainer to learn the classes of these boxes, not their places (YOLO-World). */
  boxSupervision: z.boolean().default(true),
}

/** Of a format that lacks some of them, those are at their defaults. */
export const commonOptionsSchema = z.object(commonOptions)

/** Parsed. */
export type CommonOptions = z.output<typeof commonOptionsSchema>
