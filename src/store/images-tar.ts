// images.tar: the images of a shard as WebDataset samples, `<key>.<format>`, in row order and with
// fixed headers, so that equal images give equal bytes.

import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Transform } from 'node:stream'
import { extract, pack } from 'tar-stream'
import { InputError, messageOf } from '../core/errors.ts'
import type { ImageFormat } from '../core/types.ts'
import { naming, type FileDigest } from './durable.ts'

export interface ImagesTarWriter {
  /** Resolves when the bytes have been handed on; await it before the next call. */
  add(key: string, format: ImageFormat, bytes: Uint8Array): Promise<void>
  /** Ends the archive and syncs it to disk. */
  close(): Promise<FileDigest>
  /** Gives up; the half-written file stays for its folder's owner to remove. */
  abort(): Promise<void>
}

const MODE = 0o644

export function createImagesTar(file: string): ImagesTarWriter {
  const archive = pack()
  const hash = createHash('sha256')
  let size = 0
  const digest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  const written = naming(file, () =>
    pipeline(archive, digest, createWriteStream(file, { flags: 'wx', flush: true })),
  )
  written.catch(() => undefined) // whoever awaits next sees the error
  return {
    async add(key, format, bytes) {
      const header = {
        name: `${key}.${format}`,
        size: bytes.length,
        mode: MODE,
        mtime: new Date(0),
      }
      const entered = new Promise<void>((resolve, reject) => {
        const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) // no copy
        const entry = archive.entry(header, content, (error) => {
          if (error) reject(error)
          else resolve()
        })
        entry.on('error', reject) // of a failed archive; without a listener it ends the process
      })
      try {
        // The entry's callback never comes once the stream below has failed.
        await Promise.race([entered, written])
      } catch (error) {
        await written // an archive whose stream has failed says no more than that it is closed
        throw error
      }
    },
    async close() {
      if (!archive.destroyed) archive.finalize()
      await written
      return { size, sha256: hash.digest('hex') }
    },
    async abort() {
      archive.destroy()
      await written.catch(() => undefined)
    },
  }
}

export interface StoredImage {
  readonly key: string
  /** Member name, `<key>.<format>`. */
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * Streams the images of a shard in row order.
 *
 * @throws InputError naming the file if it is cut or damaged
 */
export async function* readImagesTar(file: string): AsyncIterable<StoredImage> {
  const archive = extract()
  const source = createReadStream(file)
  source.on('error', (error) => {
    archive.destroy(error)
  })
  source.pipe(archive)
  try {
    for await (const entry of archive) {
      const chunks: Buffer[] = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      const { name } = entry.header
      yield { key: name.slice(0, name.indexOf('.')), name, bytes: Buffer.concat(chunks) }
    }
  } catch (error) {
    throw new InputError(`${file}: ${messageOf(error)}`, { cause: error })
  } finally {
    source.destroy()
  }
}

/**
 * Writes an archive anew without some images.
 *
 * @throws as readImagesTar; FatalError when the disk refuses
 */
export async function dropImages(file: string, keys: ReadonlySet<string>): Promise<FileDigest> {
  const rest = `${file}.rest`
  const writer = createImagesTar(rest)
  try {
    for await (const image of readImagesTar(file)) {
      if (!keys.has(image.key)) await writer.add(image.key, formatOf(image), image.bytes)
    }
  } catch (error) {
    await writer.abort()
    throw error
  }
  const digest = await writer.close()
  await naming(file, () => fs.rename(rest, file))
  return digest
}

/** The ending is one of ours: the archive was written here. */
export function formatOf({ key, name }: StoredImage): ImageFormat {
  return name.slice(key.length + 1) as ImageFormat
}
