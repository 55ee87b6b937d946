// The images of an export: what annotations call them, and where their bytes come from.

import fs from 'node:fs/promises'
import { ConfigError, InputError } from '../core/errors.ts'
import type { GroundingRow } from '../core/types.ts'
import type { StoredImage } from '../store/images-tar.ts'
import { codeOf, naming } from '../store/posix/durable.ts'
import { shardName, type CommittedShard } from '../store/shards.ts'
import type { CommonOptions } from './options.ts'

/**
 * The name in annotations, relative to the images' root.
 *
 * @throws ConfigError if images are to be referenced and this one is no local file
 */
export function imageName(
  row: GroundingRow,
  shard: Pick<CommittedShard, 'id'>,
  images: CommonOptions['images'],
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

/** The images of a shard, out of its archive or from where they are referenced; to be asked for in row order. */
export interface ShardImages {
  /** @throws InputError for an image that is gone */
  read(row: GroundingRow): Promise<Uint8Array>
  /** @throws InputError for an image that is gone; FatalError when the disk refuses */
  copy(row: GroundingRow, to: string): Promise<void>
  close(): Promise<void>
}

/** Opens nothing before it is asked for an image. Memory: one image. */
export function openShardImages(shard: Pick<CommittedShard, 'id' | 'images'>): ShardImages {
  const archive = shard.images()[Symbol.asyncIterator]()
  let next: IteratorResult<StoredImage, unknown> | undefined
  const findStored = async (key: string): Promise<Uint8Array | undefined> => {
    next ??= await archive.next()
    // Keys of a shard have one length and rise with the rows, here as there.
    while (next.done !== true && next.value.key < key) next = await archive.next()
    return next.done !== true && next.value.key === key ? next.value.bytes : undefined
  }
  const fromPlace = async <T>({ key, url }: GroundingRow, read: (file: string) => Promise<T>) => {
    if (url === null) throw imageGone(key, `the archive of shard ${shard.id}`)
    try {
      return await read(url)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw imageGone(key, url)
      throw error
    }
  }
  return {
    async read(row) {
      return (await findStored(row.key)) ?? fromPlace(row, (file) => fs.readFile(file))
    },
    async copy(row, to) {
      const stored = await findStored(row.key)
      if (stored !== undefined) return naming(to, () => fs.writeFile(to, stored))
      const { COPYFILE_FICLONE } = fs.constants
      return fromPlace(row, (file) => naming(to, () => fs.copyFile(file, to, COPYFILE_FICLONE)))
    },
    async close() {
      await archive.return?.()
    },
  }
}

function imageGone(key: string, where: string): InputError {
  return new InputError(
    `${where}: the image of ${key} is not there; restore it, or export with --set export.images=none`,
  )
}
