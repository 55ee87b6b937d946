// What kind of files a source has, by their endings.

import fs from 'node:fs/promises'
import { ConfigError } from '../../core/errors.ts'
import { sourceTypes, type SourceType } from './options.ts'
import { bareName, isRemote, isS3, isS3Folder } from './files/addresses.ts'
import type { SourceFiles } from './files/files.ts'
import { findMetadataFile } from './formats/folder.ts'

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

const OBJECTS_LOOKED_AT = 1000

/**
 * By the ending of the first file, or of the files in the first folder.
 *
 * @throws ConfigError if that does not tell
 */
export async function guessType(paths: readonly string[], files: SourceFiles): Promise<SourceType> {
  const first = paths[0] ?? ''
  const types = typesOf([first])
  if (types[0] !== undefined) return types[0]
  const isLocal = !isRemote(first)
  const names = isLocal ? await fs.readdir(first).catch(() => []) : await firstObjects(first, files)
  if (isLocal && names.length > 0 && (await findMetadataFile(first)) !== undefined) return 'folder'
  const inside = typesOf(names)
  if (inside.length === 1) return inside[0]!
  if (isLocal && inside.length === 0 && names.length > 0) return 'folder'
  const found = inside.length > 1 ? `; ${first} has files of ${inside.join(' and ')}` : ''
  throw new ConfigError(
    `source.type: cannot tell the type of ${JSON.stringify(first)} by its ending${found}; give one of ${sourceTypes.join(', ')}`,
  )
}

/** Some objects below an s3:// address; none if it stands for one object. */
async function firstObjects(address: string, files: SourceFiles): Promise<readonly string[]> {
  const names: string[] = []
  if (!isS3(address) || !isS3Folder(address)) return names
  for await (const name of files.listObjects(address, true)) {
    if (names.push(name) === OBJECTS_LOOKED_AT) break
  }
  return names
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
