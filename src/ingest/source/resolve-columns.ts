// Which columns of a data set mean what.

import { ConfigError, InputError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import type { SourceFile } from './files/files.ts'
import type { TypedOptions } from './options.ts'
import type { SourceFormat } from './formats/format.ts'
import type { ColumnMapping } from './map-row.ts'

const URLS = ['url', 'URL', 'image_url', 'img_url']
const IMAGES = ['image', 'file_name', 'image_path', 'filepath', 'jpg']
const CAPTIONS = ['caption', 'text', 'TEXT', 'txt', 'alt', 'top_caption']

/**
 * The columns as configured, checked against the first file that can be read; or found by their names.
 *
 * @throws ConfigError naming the columns that exist; InputError if no file can be read
 */
export async function resolveColumns(
  options: TypedOptions,
  format: SourceFormat,
  files: Iterable<SourceFile>,
): Promise<ColumnMapping> {
  const { path: file, columns: known } = await firstColumns(format, files)
  const { type } = options
  const isTar = type === 'webdataset' || type === 'img2dataset'
  const { keep, ...given } = options.columns
  const named = [
    ...Object.entries(given).map(([role, name]) => [`columns.${role}`, name] as const),
    ...keep.map((name) => ['columns.keep', name] as const),
    ['allowList.column', options.allowList?.column] as const,
  ]
  for (const [role, name] of named) {
    if (name === undefined) continue
    if (type === 'jsonl' || isTar) break // a row may lack what others have
    if (known.includes(name) || known.includes(name.replace(/\..*$/, ''))) continue
    const near = nearest(name, known)
    const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`
    const has = known.length === 0 ? 'it has no rows' : `but ${known.join(', ')}${hint}`
    throw new ConfigError(`source.${role}: ${file} has no column ${JSON.stringify(name)}, ${has}`)
  }
  const find = (role: 'url' | 'image' | 'caption', names: readonly string[]) => {
    const found = names.filter((name) => known.includes(name))
    if (found.length < 2) return found[0]
    throw new ConfigError(
      `source.columns.${role}: ${file} has ${found.join(' and ')}; say which one it is`,
    )
  }
  const hasImage = given.url !== undefined || given.image !== undefined
  const image = hasImage ? given.image : isTar ? 'image' : find('image', IMAGES)
  const url = hasImage || isTar ? given.url : find('url', URLS)
  const caption =
    given.caption ?? (isTar && known.includes('txt') ? 'txt' : find('caption', CAPTIONS))
  const missing = caption === undefined ? 'caption' : (image ?? url) ? undefined : 'url (or image)'
  if (caption === undefined || missing !== undefined) {
    const has = known.length === 0 ? 'no rows' : `the columns ${known.join(', ')}`
    throw new ConfigError(`source.columns.${missing ?? 'caption'} is not set; ${file} has ${has}`)
  }
  if (image !== undefined && url !== undefined && !hasImage) {
    throw new ConfigError(`source.columns: ${file} has ${url} and ${image}; set url, image or both`)
  }
  return {
    ...(url === undefined ? {} : { url }),
    ...(image === undefined ? {} : { image }),
    caption,
    ...(given.phrases === undefined ? {} : { phrases: given.phrases }),
    ...(given.status === undefined ? {} : { status: given.status }),
    keep,
  }
}

/** Of the first file that can be read; a damaged file among others gives a rejected row instead. */
async function firstColumns(
  format: SourceFormat,
  files: Iterable<SourceFile>,
): Promise<{ readonly path: string; readonly columns: readonly string[] }> {
  let failure: InputError | undefined
  let last: string | undefined
  for (const file of files) {
    try {
      const columns = await format.columns(file)
      last = file.path
      if (columns.length > 0) return { path: last, columns }
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      last = undefined
      failure ??= error
    }
  }
  if (last !== undefined) return { path: last, columns: [] }
  throw failure ?? new InputError('source.files: no file can be read')
}
