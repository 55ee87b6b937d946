// What a format of training files is made of. A new one is a file in formats/ and a line of the list
// there; the commands, their help and the configuration go by that list.

import { z } from 'zod'
import { ConfigError } from '../core/errors.ts'
import type { RunManifest } from '../store/run-manifest.ts'
import type { Validator } from '../validate/validator.ts'
import { commonOptionsSchema, type CommonOptions } from './options.ts'
import type { OutputFolder } from './output-files.ts'
import type { ExportSample } from './sample.ts'

/**
 * Reads a sample's image as the run holds it: encoded, upright, of the sample's size. Nothing is read
 * before it is called, which must be before `write` returns.
 *
 * @throws InputError for an image that is gone
 */
export type ReadImage = () => Promise<Uint8Array>

/** Writes one format into the export's folder. */
export interface ExportWriter {
  /** The samples that follow are of this shard; a shard without samples is not begun. */
  beginShard(id: number): Promise<void>
  /** In run order, one after the other. */
  write(sample: ExportSample, readImage: ReadImage): Promise<void>
  /** Ends the last shard. */
  close(): Promise<void>
}

/** What a writer works with. */
export interface WriterContext {
  readonly folder: OutputFolder
  readonly manifest: RunManifest
  /** In the order of their ids; none for a format without categories. */
  readonly categories: readonly string[]
  /** Of a format with dialects. */
  readonly dialect?: string | undefined
}

/** A format as its file describes it. */
export interface FormatDefinition<Shape extends z.core.$ZodLooseShape> {
  /** As `--format` has it. */
  readonly name: string
  /** One line, for --help and docs. */
  readonly description: string
  /** Loaders that take different files, the default first. */
  readonly dialects?: readonly string[]
  /** The keys of `export:` that it has; a key that another format has, too, means the same there. */
  readonly options: Shape
  /** Whether boxes have categories in place of phrases. */
  needsCategories(options: z.output<z.ZodObject<Shape>>): boolean
  /** Whether images lie inside its files: none is copied beside them then. */
  readonly needsImages: boolean
  createWriter(context: WriterContext, options: z.output<z.ZodObject<Shape>>): ExportWriter
  /** Absent: `groundmill validate` does not know the format. */
  readonly validator?: Validator
}

/** A format whatever its options are. */
export interface ExportFormat extends Pick<
  FormatDefinition<z.core.$ZodLooseShape>,
  'name' | 'description' | 'options' | 'needsImages' | 'validator'
> {
  /** None for a format that all loaders read alike. */
  readonly dialects: readonly string[]
  /**
   * @param section parsed or not; keys of other formats are passed over
   * @throws ConfigError for a value that an option cannot have
   */
  configure(section: object): ConfiguredFormat
}

/** A format with its options. */
export interface ConfiguredFormat {
  readonly options: CommonOptions
  readonly needsCategories: boolean
  readonly createWriter: (context: WriterContext) => ExportWriter
}

/** Checks nothing yet; options are parsed when an export configures the format. */
export function defineFormat<Shape extends z.core.$ZodLooseShape>(
  definition: FormatDefinition<Shape>,
): ExportFormat {
  const { dialects = [], options: shape, ...format } = definition
  const schema = z.strictObject(shape)
  return {
    ...format,
    dialects,
    options: shape,
    configure(section) {
      const mine = Object.entries(section).filter(([key]) => Object.hasOwn(shape, key))
      const parsed = schema.safeParse(Object.fromEntries(mine))
      if (!parsed.success) {
        throw new ConfigError(`export of ${format.name}: ${z.prettifyError(parsed.error)}`)
      }
      const options = parsed.data
      return {
        options: commonOptionsSchema.parse(options),
        needsCategories: definition.needsCategories(options),
        createWriter: (context) => definition.createWriter(context, options),
      }
    },
  }
}
