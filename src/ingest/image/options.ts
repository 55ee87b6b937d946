// Options of the section `image:`.

import { z } from 'zod'

/** What can be decoded. */
export const imageFormats = ['jpg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const

/** The section `image:`; sizes in pixels or bytes, times in milliseconds. */
export const imageOptionsSchema = z.strictObject({
  /** px, of the upright image. */
  minSide: z.number().int().min(1).default(32),
  /** Longer side / shorter side. */
  maxAspect: z.number().min(1).default(20),
  /** Smallest encoded size. */
  minBytes: z.number().int().min(0).default(0),
  /** Width x height, known from the header before anything is decoded. */
  maxPixels: z.number().int().min(1).max(268_402_689).default(50_000_000),
  /** What may be decoded, by sniffed content. */
  formats: z.array(z.enum(imageFormats)).min(1).default(['jpg', 'png', 'webp', 'gif']),
  decodeTimeoutMs: z.number().int().min(1000).default(20_000),
  /** Processes that check images and fit them to the model. */
  processes: z.number().int().min(1).max(64).default(1),
  /** Images decoded at the same time per process, as far as there are cores. */
  decoders: z.number().int().min(1).max(64).default(4),
})

/** Options that change no result, so they are no part of the identity of a run. */
export const imageVolatile: readonly string[] = ['decodeTimeoutMs', 'processes', 'decoders']

/** With defaults filled in. */
export type ImageOptions = z.output<typeof imageOptionsSchema>
