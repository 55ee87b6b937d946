// What kind of files a source has, by their endings.

import fs from 'node:fs/promises'
import { ConfigError } from '../../core/errors.ts'
import { sourceTypes, type SourceType } from '../source-options.ts'
import { bareName, isRemote } from './files.ts'
import { findMetadataFile } from './folder.ts'

/** Which files of a folder are read. */
export const ENDINGS: Readonly<Record<Exclude<SourceType, 'folder'>, readonly string[]>> = {
  parquet: ['.parquet'],
  arrow: ['.arrow', '.feather', '.ipc'],
  tsv: ['.tsv', '.tsv.gz'],
  csv: ['.csv', '.csv.gz'],
  jsonl: ['.jsonl', '.ndjson', '.jsonl.gz', '.ndjson.gz'],
  json: ['.json', '.json.gz'],
  flickr30k: ['.token'],
  'flickr30k-entities': ['.txt'],
  webdataset: ['.tar', '.tar.gz', '.tgz'],
  img2dataset: ['.tar'],
}

/**
 * By the ending of the first file, or of the files in the first folder.
 *
 * @throws ConfigError if that does not tell
 */
export async function guessType(files: readonly string[]): Promise<SourceType> {
  const first = files[0] ?? ''
  const types = typesOf([first])
  if (types[0] !== undefined) return types[0]
  const names = isRemote(first) ? [] : await fs.readdir(first).catch(() => [])
  if (names.length > 0 && (await findMetadataFile(first)) !== undefined) return 'folder'
  const inside = typesOf(names)
  if (inside.length === 1) return inside[0]!
  if (inside.length === 0 && names.length > 0) return 'folder'
  const found = inside.length > 1 ? `; ${first} has files of ${inside.join(' and ')}` : ''
  throw new ConfigError(
    `source.type: cannot tell the type of ${JSON.stringify(first)} by its ending${found}; give one of ${sourceTypes.join(', ')}`,
  )
}

/** The types that the endings stand for; of two with the same endings the first. */
function typesOf(names: readonly string[]): SourceType[] {
  const types = Object.keys(ENDINGS) as (keyof typeof ENDINGS)[] // the keys as declared
  const found = names.flatMap(
    (name) =>
      types.find(
        (type) =>
          // Any text ends with .txt, captions beside images do too.
          type !== 'flickr30k-entities' &&
          ENDINGS[type].some((ending) => bareName(name).endsWith(ending)),
      ) ?? [],
  )
  return [...new Set(found)]
}
