// The images of an export: what annotations call them, and their bytes beside the annotations.

import fs from 'node:fs/promises'
import path from 'node:path'
import { ConfigError, InputError } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import { codeOf, makeFolder, naming } from '../store/posix/durable.ts'
import { shardName, type CommittedShard } from '../store/posix/shards.ts'
import type { ExportOptions } from './options.ts'

/**
 * The name in annotations, relative to the images' root.
 *
 * @throws ConfigError if images are to be referenced and this one is no local file
 */
export function imageName(
  row: GroundingRow,
  shard: Pick<CommittedShard, 'id'>,
  images: ExportOptions['images'],
): string {
  if (images !== 'reference') return `${shardName(shard.id)}/${row.key}.${row.format}`
  if (row.url === null || /^[a-z][a-z0-9+.-]*:\/\//i.test(row.url)) {
    throw new ConfigError(
      `export.images: reference needs local image files, but ${row.key} is ` +
        `${row.url ?? 'inside an archive'}; use copy`,
    )
  }
  return row.url
}

/**
 * Copies images into `<root>/<shard>/`, out of the shard's archive or from where they are referenced.
 *
 * @throws InputError for an image that is gone; FatalError when the disk refuses
 */
export async function copyImages(
  shard: CommittedShard,
  rows: readonly GroundingRow[],
  root: string,
  signal: AbortSignal,
): Promise<void> {
  const missing = new Map(rows.map((row) => [row.key, row]))
  const folder = path.join(root, shardName(shard.id))
  await makeFolder(folder)
  for await (const { key, name, bytes } of shard.images()) {
    signal.throwIfAborted()
    if (!missing.delete(key)) continue
    const file = path.join(folder, name)
    await naming(file, () => fs.writeFile(file, bytes))
  }
  for (const { key, url, format } of missing.values()) {
    signal.throwIfAborted()
    const file = path.join(folder, `${key}.${format}`)
    if (url === null) throw imageGone(key, `the archive of shard ${shard.id}`)
    try {
      await naming(file, () => fs.copyFile(url, file, fs.constants.COPYFILE_FICLONE))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw imageGone(key, url)
      throw error
    }
  }
}

function imageGone(key: string, where: string): InputError {
  return new InputError(
    `${where}: the image of ${key} is not there; restore it, or export with --set export.images=none`,
  )
}
