// teacher.json of a GLIP model, written by models/glip.

import { z } from 'zod'
import { commonFields, filesSchema, GRAPH_FILE } from '../description.ts'

/** BERT's WordPiece vocabulary, one piece a line. */
export const VOCAB_FILE = 'vocab.txt'

const positive = z.number().positive()
const triple = z.tuple([z.number(), z.number(), z.number()])

/** Sizes in px of the resized image, scores and IoU in [0, 1]. */
export const glipSchema = z
  .object({
    ...commonFields,
    architecture: z.literal('glip'),
    files: filesSchema(GRAPH_FILE, VOCAB_FILE),
    inputs: z.object({
      images: z.string(),
      imageSizes: z.string(),
      inputIds: z.string(),
      attentionMask: z.string(),
      positiveMap: z.string(),
    }),
    outputs: z.object({ phraseProb: z.string(), boxReg: z.string(), centerness: z.string() }),
    image: z
      .object({
        /** px; the size rule is `resizedSize`. */
        shortSide: z.int().positive(),
        longSide: z.int().positive(),
        padMultiple: z.int().positive(),
        /** Of the normalisation, which is in the graph: for the record. */
        channelOrder: z.enum(['BGR', 'RGB']),
        mean: triple,
        std: triple,
      })
      .refine(({ shortSide, longSide }) => shortSide <= longSide, 'shortSide is above longSide'),
    text: z.object({ maxTokens: z.int().min(8), lowerCase: z.boolean() }),
    anchors: z
      .object({ strides: z.array(positive).min(1), sizes: z.array(positive).min(1) })
      .refine(({ strides, sizes }) => strides.length === sizes.length, 'one size per stride'),
    boxWeights: z.tuple([positive, positive, positive, positive]),
    postprocess: z.object({
      candidateScore: z.number().min(0).max(1),
      preNms: z.int().positive(),
      nmsIou: z.number().min(0).max(1),
      maxBoxes: z.int().nonnegative(),
    }),
  })
  .refine(
    ({ image, anchors }) => anchors.strides.slice(0, 3).every((s) => image.padMultiple % s === 0),
    {
      path: ['image', 'padMultiple'],
      message: 'must be a multiple of the first three strides',
    },
  )

/** teacher.json of a GLIP model, checked. */
export type GlipDescription = z.output<typeof glipSchema>
