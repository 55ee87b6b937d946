// The formats there are. The order is that of help texts and of the keys in export.json.

import { z } from 'zod'
import { ConfigError } from '../../core/errors.ts'
import { commonOptions } from '../options.ts'
import type { ExportFormat } from '../writer.ts'
import { coco } from './coco.ts'
import { goldg } from './goldg.ts'
import { jsonl } from './jsonl.ts'
import { odvg } from './odvg.ts'

/** All of them. */
export const EXPORT_FORMATS: readonly ExportFormat[] = [odvg, coco, goldg, jsonl]

/** The `export:` section of a recipe, which is made for several formats: the options of all. */
export const exportSectionSchema = sectionSchemaOf(EXPORT_FORMATS)

/** Parsed. Options that are not common to formats are known to the types of their format alone. */
export type ExportSection = z.output<typeof exportSectionSchema>

/** @throws Error if two formats mean different things by one key */
export function sectionSchemaOf(formats: readonly ExportFormat[]) {
  const all: Record<string, unknown> = {}
  for (const [key, schema] of formats.flatMap(({ options }) => Object.entries(options))) {
    if (Object.hasOwn(all, key) && all[key] !== schema)
      throw new Error(`export.${key} has two meanings`)
    all[key] = schema
  }
  const others: object = all
  return z.strictObject({ ...others, ...commonOptions })
}

/**
 * For options that were given for one export: those of other formats would have no effect.
 *
 * @param keys of the `export:` section
 * @throws ConfigError naming the key and the formats that have it
 */
export function refuseForeignOptions(
  format: ExportFormat,
  keys: readonly string[],
  formats = EXPORT_FORMATS,
): void {
  const foreign = keys.find((key) => !Object.hasOwn(format.options, key))
  if (foreign === undefined) return
  const owners = formats
    .filter(({ options }) => Object.hasOwn(options, foreign))
    .map(({ name }) => name)
  throw new ConfigError(
    `export.${foreign} is an option of --format ${owners.join(', ')}, not of ${format.name}`,
  )
}
