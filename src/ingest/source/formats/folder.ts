// A folder of images with captions: x.jpg and x.txt side by side, in any depth. Folders are walked
// in order and one at a time, so memory is bounded by the largest one. (A folder with a metadata file,
// as Hugging Face's imagefolder has, is read as that file.)

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { InputError, ShardError, messageOf } from '../../../core/errors.ts'
import type { Json } from '../../../core/types.ts'
import type { SourceOptions } from '../options.ts'
import { isMarked, toPosition, type RawRow, type SourceFormat } from './format.ts'
import type { SourceFile } from '../files/files.ts'
import { imageEndings } from './webdataset.ts'

/** Column names of the rows of a folder; `path` is relative to it. */
export const folderColumns = { image: 'path', caption: 'caption' } as const

const METADATA = ['metadata.jsonl', 'metadata.csv', 'metadata.parquet']

/** The file that describes the folder's images, if it has one. */
export async function findMetadataFile(folder: string): Promise<string | undefined> {
  const names = await fs.readdir(folder).catch((error: unknown) => {
    throw new InputError(`${folder}: ${messageOf(error)}`, { cause: error })
  })
  const name = METADATA.find((metadata) => names.includes(metadata))
  return name === undefined ? undefined : path.join(folder, name)
}

/** Digest of the names below a folder: what its rows follow from, beside the files' contents. */
export async function identifyFolder({ path: folder, signal }: SourceFile): Promise<Json> {
  const hash = createHash('sha256')
  let rows = 0
  for await (const { file } of walk(folder)) {
    signal.throwIfAborted()
    hash.update(`${file}\n`)
    rows++
  }
  return { path: folder, rows, sha256OfNames: hash.digest('hex') }
}

/** A folder stands for one file; a position is the path of an image below it. */
export function createFolderFormat({ maxRowBytes }: SourceOptions): SourceFormat {
  /** An image with its caption, or why there is none. */
  const readEntry = async (
    folder: SourceFile,
    { file, isImage, caption }: Entry,
  ): Promise<RawRow> => {
    if (!isImage) return { code: 'image_missing', detail: `${file} has no image beside it` }
    if (caption === undefined) {
      return { code: 'caption_missing', detail: `${file} has no .txt beside it` }
    }
    await using open = await folder.beside(path.join(folder.path, caption)).open()
    const bytes = await open.read(0, maxRowBytes + 1)
    if (bytes.length > maxRowBytes) {
      return { code: 'row_too_long', detail: `${caption} is longer than source.maxRowBytes` }
    }
    // The newline that editors end a file with is no part of the caption.
    const end = bytes.at(-1) === 10 ? bytes.length - (bytes.at(-2) === 13 ? 2 : 1) : bytes.length
    const { image: imageColumn, caption: captionColumn } = folderColumns
    return { fields: { [imageColumn]: file, [captionColumn]: bytes.subarray(0, end) } }
  }

  return {
    columns: async () => Object.values(folderColumns),
    marks: async function* (folder, grid) {
      let row = 0
      for await (const { file } of walk(folder.path)) {
        folder.signal.throwIfAborted()
        if (isMarked(row, grid)) yield { row, position: file }
        row++
      }
      yield { rows: row }
    },
    read: async function* (folder, position) {
      const from = toPosition(z.string().optional(), folder.path, position)
      for await (const entry of walk(folder.path, from?.split('/'))) {
        folder.signal.throwIfAborted()
        yield await readEntry(folder, entry)
      }
    },
  }
}

/** An image, or a caption without one. */
interface Entry {
  /** Relative to the root, with slashes. */
  readonly file: string
  readonly isImage: boolean
  /** The caption's file, relative to the root, if it is there. */
  readonly caption?: string
}

/** Entries in the order of their paths, part by part; from the parts of a path (inclusive) on. */
async function* walk(
  root: string,
  from: readonly string[] = [],
  relative = '',
): AsyncGenerator<Entry> {
  const where = path.join(root, relative)
  const items = await fs.readdir(where, { withFileTypes: true }).catch((error: unknown) => {
    throw new ShardError(`cannot list ${where}: ${messageOf(error)}`, { cause: error })
  })
  const names = items.filter((item) => !item.name.startsWith('.'))
  names.sort((a, b) => (a.name < b.name ? -1 : 1))
  const captions = new Set(names.map((item) => item.name).filter((name) => name.endsWith('.txt')))
  const stems = new Set(names.filter((item) => isImage(item.name)).map((item) => stem(item.name)))

  const [first, ...rest] = from
  for (const item of names) {
    const { name } = item
    if (first !== undefined && name < first) continue
    const file = relative === '' ? name : `${relative}/${name}`
    if (item.isDirectory()) {
      yield* walk(root, name === first ? rest : [], file)
    } else if (isImage(name)) {
      const known = captions.has(`${stem(name)}.txt`)
      yield { file, isImage: true, ...(known ? { caption: `${stem(file)}.txt` } : {}) }
    } else if (captions.has(name) && !stems.has(stem(name))) {
      yield { file, isImage: false, caption: file }
    }
  }
}

function isImage(name: string): boolean {
  return imageEndings.includes(path.extname(name).slice(1).toLowerCase())
}

function stem(name: string): string {
  return name.slice(0, name.length - path.extname(name).length)
}
