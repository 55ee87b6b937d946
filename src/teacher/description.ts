// What every model folder's teacher.json says, whatever the architecture. Each architecture adds its own
// fields, see architectures.ts.

import { z } from 'zod'

/** The graph, in a folder that has one. */
export const GRAPH_FILE = 'model.onnx'
/** What makes a folder a model folder. */
export const DESCRIPTION_FILE = 'teacher.json'
/** `formatVersion` of the descriptions that are read. */
export const DESCRIPTION_FORMAT = 1

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')
const fileName = z.string().regex(/^[\w-][\w.-]*$/, 'must be a plain file name')

/** `files` of teacher.json: size and sha256 of each, of which some must be listed. */
export function filesSchema(...required: readonly string[]) {
  const schema = z.record(fileName, z.object({ size: z.int().nonnegative(), sha256: sha256Schema }))
  return required.reduce(
    (files, name) => files.refine((listed) => name in listed, `must list ${name}`),
    schema,
  )
}

/** Fields of every description; `architecture`, a literal, and `files` come with the architecture. */
export const commonFields = {
  formatVersion: z.literal(DESCRIPTION_FORMAT),
  id: z.string().min(1),
  variant: z.string().min(1),
  precision: z.enum(['fp32', 'fp16', 'int8']),
  /** A graph that returns raw outputs, for parity tests; it cannot ground. */
  raw: z.boolean(),
  /** Score at which a box is shown or exported unless the user says otherwise, [0, 1]. */
  defaultScore: z.number().min(0).max(1),
  licence: z.string(),
  /** Where the weights come from and how the folder was made. */
  provenance: z.record(z.string(), z.string()),
} as const

/** teacher.json, checked, as far as all architectures share it. */
export type Description = z.output<z.ZodObject<typeof commonFields>> & {
  readonly architecture: string
  readonly files: z.output<ReturnType<typeof filesSchema>>
}

/** A model folder and what its teacher.json says. */
export interface ModelFolder<D extends Description = Description> {
  readonly path: string
  readonly description: D
  /** Hex, of the bytes of teacher.json, which holds the sha256 of every other file. */
  readonly sha256: string
}
