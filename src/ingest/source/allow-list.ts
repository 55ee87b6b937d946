// Which rows of a data set are wanted, by the value of a column: subsets as DataComp publishes them, an
// .npy of sorted 128-bit ids, or text. A list of a billion ids is searched where it lies.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import readline from 'node:readline'
import { ConfigError, ShardError, messageOf } from '../../core/errors.ts'
import type { Json } from '../../core/types.ts'
import { readExactly } from '../../system/read-part.ts'

/** Values of a column that are wanted. */
export interface AllowList {
  /** What the list says: a digest of each file, wherever it lies. */
  readonly identity: Json
  /** @throws ShardError if the file cannot be read just now */
  has(value: string): Promise<boolean>
  close(): Promise<void>
}

/** Ids that are read at once: a page of the disk. */
const PAGE_IDS = 256
const ID_BYTES = 16
/** A list up to this size is held in memory; of a larger one, a 256th. */
const MAX_RESIDENT = 64 * 2 ** 20
/** About 100 bytes of memory each. */
const MAX_LINES = 10_000_000
const SCAN_BYTES = 4 * 2 ** 20

/**
 * Reads each file once, to know its digest and that it is sorted.
 *
 * @param paths of .npy files, and of text files with one value per line ("#" begins a comment line)
 * @throws ConfigError naming the file that is neither, or cannot be read
 */
export async function openAllowList(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<AllowList> {
  const lists: List[] = []
  const close = async () => {
    for (const list of lists) await list.close()
  }
  try {
    for (const path of paths) {
      const opening = path.endsWith('.npy') ? openIds(path, signal) : readLines(path, signal)
      const list = await opening.catch((error: unknown) => {
        signal.throwIfAborted()
        const why = messageOf(error)
        throw new ConfigError(`source.allowList.files: ${path}: ${why}`, { cause: error })
      })
      lists.push(list)
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    identity: lists.map(({ sha256, entries }) => ({ sha256, entries })),
    has: async (value) => {
      for (const list of lists) if (await list.has(value)) return true
      return false
    },
    close,
  }
}

interface List {
  readonly sha256: string
  readonly entries: number
  has(value: string): boolean | Promise<boolean>
  close(): Promise<void>
}

async function readLines(path: string, signal: AbortSignal): Promise<List> {
  const hash = createHash('sha256')
  const values = new Set<string>()
  const stream = createReadStream(path, { signal })
  stream.on('data', (chunk) => hash.update(chunk))
  for await (const line of readline.createInterface({ input: stream, crlfDelay: Infinity })) {
    const value = line.trim()
    if (value === '' || value.startsWith('#')) continue
    if (values.size === MAX_LINES) {
      throw new Error(`more than ${MAX_LINES} values; an .npy of sorted ids may have any number`)
    }
    values.add(value)
  }
  return {
    sha256: hash.digest('hex'),
    entries: values.size,
    has: (value) => values.has(value),
    close: () => Promise.resolve(),
  }
}

/** Ids as pairs of 64-bit integers, ascending, as `numpy.sort` leaves them. */
async function openIds(path: string, signal: AbortSignal): Promise<List> {
  const file = await fs.open(path)
  try {
    const { start, count } = await readNpyHeader(file)
    const { size } = await file.stat()
    const end = start + count * ID_BYTES
    if (size !== end) throw new Error(`${count} ids end at byte ${end}; the file has ${size} bytes`)
    // The first id of each page, and all bytes where they fit.
    const firsts = new BigUint64Array(2 * Math.ceil(count / PAGE_IDS))
    const resident = count * ID_BYTES <= MAX_RESIDENT ? Buffer.alloc(count * ID_BYTES) : undefined
    const hash = createHash('sha256').update(await readExactly(file, 0, start))
    let last: Id = [0n, 0n]
    for (let at = 0; at < count * ID_BYTES; at += SCAN_BYTES) {
      signal.throwIfAborted()
      const length = Math.min(SCAN_BYTES, count * ID_BYTES - at)
      const bytes = await readExactly(file, start + at, length)
      hash.update(bytes)
      if (resident !== undefined) bytes.copy(resident, at)
      for (let offset = 0; offset < length; offset += ID_BYTES) {
        const id = idAt(bytes, offset)
        const index = (at + offset) / ID_BYTES
        if (compare(id, last) < 0)
          throw new Error(`not sorted: id ${index} is below the one before`)
        if (index % PAGE_IDS === 0) firsts.set(id, (2 * index) / PAGE_IDS)
        last = id
      }
    }
    const pageAt = async (page: number): Promise<Buffer> => {
      const from = page * PAGE_IDS * ID_BYTES
      const length = Math.min(PAGE_IDS * ID_BYTES, count * ID_BYTES - from)
      if (resident !== undefined) return resident.subarray(from, from + length)
      return readExactly(file, start + from, length).catch((error: unknown) => {
        throw new ShardError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
      })
    }
    return {
      sha256: hash.digest('hex'),
      entries: count,
      has: async (value) => {
        const id = toId(value)
        if (id === undefined) return false
        const page = countWhile(firsts.length / 2, (at) => {
          const first = [firsts[2 * at]!, firsts[2 * at + 1]!] as const
          return compare(first, id) <= 0
        })
        if (page === 0) return false
        const bytes = await pageAt(page - 1)
        const idOf = (at: number) => idAt(bytes, at * ID_BYTES)
        const found = countWhile(bytes.length / ID_BYTES, (at) => compare(idOf(at), id) <= 0)
        return found > 0 && compare(idOf(found - 1), id) === 0
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** High and low half. */
type Id = readonly [bigint, bigint]

function toId(value: string): Id | undefined {
  if (!/^[0-9a-f]{32}$/i.test(value)) return undefined
  return [BigInt(`0x${value.slice(0, 16)}`), BigInt(`0x${value.slice(16)}`)]
}

function idAt(bytes: Buffer, offset: number): Id {
  return [bytes.readBigUInt64LE(offset), bytes.readBigUInt64LE(offset + 8)]
}

function compare(a: Id, b: Id): number {
  const half = a[0] === b[0] ? 1 : 0
  return a[half] < b[half] ? -1 : a[half] > b[half] ? 1 : 0
}

/** How many of the indexes hold, which those from 0 on do up to some. */
function countWhile(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * @returns where the ids begin, in bytes, and how many there are
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
async function readNpyHeader(file: fs.FileHandle): Promise<{ start: number; count: number }> {
  const head = await readExactly(file, 0, 12)
  const isNpy = head.toString('latin1', 0, 6) === '\x93NUMPY'
  const version = head[6] ?? 0
  if (!isNpy || version < 1 || version > 3) throw new Error('no .npy file')
  const [begin, length] = version === 1 ? [10, head.readUInt16LE(8)] : [12, head.readUInt32LE(8)]
  if (length > 65_536) throw new Error(`a header of ${length} bytes`)
  const header = (await readExactly(file, begin, length)).toString('latin1')
  const isPairs = /'descr': \[\('\w*', '<u8'\), \('\w*', '<u8'\)\]/.test(header)
  const isTable = /'descr': '<u8', 'fortran_order': False/.test(header)
  const shape = isPairs ? /'shape': \((\d+),\)/ : /'shape': \((\d+), 2\)/
  const count = Number(isPairs || isTable ? (shape.exec(header)?.[1] ?? NaN) : NaN)
  if (Number.isSafeInteger(count)) return { start: begin + length, count }
  throw new Error(`no list of ids (dtype "u8,u8") but ${header.trim()}`)
}
