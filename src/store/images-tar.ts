// images.tar: the images of a shard as WebDataset samples, `<key>.<format>`, in row order and with
// fixed headers, so that equal images give equal bytes.

import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { extract } from 'tar-stream'
import { InputError, messageOf } from '../core/errors.ts'
import type { ImageFormat } from '../core/types.ts'
import type { Attempt, FileDigest, GrowingFile, StoredFile } from './run-store.ts'

/** An image of a shard. */
export interface StoredImage {
  readonly key: string
  readonly format: ImageFormat
  readonly bytes: Uint8Array
}

/** Writes the images of a shard, in row order. */
export interface ImagesTarWriter {
  /** Resolves when there is room for more; await it before the next call. @throws FatalError when the disk refuses */
  add(image: StoredImage): Promise<void>
  /** Ends the archive and syncs it to disk. */
  close(): Promise<FileDigest>
  /** Gives up; the half-written file stays for its owner to remove. */
  abort(): Promise<void>
}

const BLOCK = 512
const PADDING = Buffer.alloc(2 * BLOCK)

/** @param archive a file that holds nothing yet */
export function createImagesTar(archive: GrowingFile): ImagesTarWriter {
  const hash = createHash('sha256')
  let size = 0
  const append = (...piece: readonly Uint8Array[]) => {
    for (const part of piece) {
      hash.update(part)
      size += part.length
    }
    return archive.append(piece)
  }
  return {
    async add({ key, format, bytes }) {
      const header = encodeHeader(`${key}.${format}`, bytes.length)
      const padding = PADDING.subarray(0, -bytes.length & (BLOCK - 1))
      append(header, bytes, padding).catch(() => undefined) // the next line says so, now or next time
      await archive.room()
    },
    async close() {
      await Promise.all([append(PADDING), archive.close()])
      return { size, sha256: hash.digest('hex') }
    },
    async abort() {
      await archive.close().catch(() => undefined)
    },
  }
}

/** Of a regular file in ustar (POSIX.1-1988): fields of octal digits at fixed places, by nobody, of 1970. */
function encodeHeader(name: string, size: number): Uint8Array {
  const header = Buffer.alloc(BLOCK)
  if (name.length > 100 || size >= 8 ** 11) throw new RangeError(`${name}, ${size} bytes: no ustar`)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')} `
  header.write(name, 0, 'latin1')
  header.write(octal(0o644, 6), 100) // mode
  header.write(octal(0, 6), 108) // owner
  header.write(octal(0, 6), 116) // group
  header.write(octal(size, 11), 124)
  header.write(octal(0, 11), 136) // time of change
  header.write('        0', 148) // checksum, taken as blank while it is computed; type
  header.write('ustar\x0000', 257)
  header.write(octal(0, 6), 329) // device
  header.write(octal(0, 6), 337)
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${octal(sum, 6)}\0`, 148)
  return header
}

/** What is read of an archive at once. */
const PIECE_BYTES = 2 ** 18

async function* pieces(file: StoredFile): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    yield file.read(at, Math.min(at + PIECE_BYTES, file.size))
  }
}

/**
 * Streams the images of a shard in row order.
 *
 * @throws InputError naming the file if it is cut or damaged
 */
export async function* readImagesTar(file: StoredFile): AsyncGenerator<StoredImage> {
  const archive = extract()
  const source = Readable.from(pieces(file))
  source.on('error', (error) => {
    archive.destroy(error)
  })
  source.pipe(archive)
  try {
    for await (const entry of archive) {
      const chunks: Buffer[] = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      const { name } = entry.header
      const dot = name.indexOf('.')
      // The ending is one of ours: the archive was written here.
      const format = name.slice(dot + 1) as ImageFormat
      yield { key: name.slice(0, dot), format, bytes: Buffer.concat(chunks) }
    }
  } catch (error) {
    throw new InputError(`${file.address}: ${messageOf(error)}`, { cause: error })
  } finally {
    source.destroy()
  }
}

/**
 * Writes an archive of an attempt anew without some images.
 *
 * @throws as readImagesTar; FatalError when the disk refuses
 */
export async function dropImages(
  attempt: Attempt,
  name: string,
  keys: ReadonlySet<string>,
): Promise<FileDigest> {
  const rest = `${name}.rest`
  const file = await attempt.open(name)
  const writer = createImagesTar(attempt.append(rest))
  try {
    for await (const image of readImagesTar(file)) {
      if (!keys.has(image.key)) await writer.add(image)
    }
  } catch (error) {
    await writer.abort()
    throw error
  } finally {
    await file.close()
  }
  const digest = await writer.close()
  await attempt.rename(rest, name)
  return digest
}
