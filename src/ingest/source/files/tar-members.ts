// The members of a tar by their headers, read in place: bodies are skipped, so a large tar is listed
// in little time and memory, and any member can be read by its offset. Nothing is ever extracted to
// disk. Knows ustar, GNU long names and pax; refuses what no data set needs.

import type { OpenFile } from './files.ts'
import { asDamage, DamagedFile } from '../formats/format.ts'
import { decodeUtf8 } from '../utf8.ts'

/** A file in a tar, and where its bytes are. */
export interface TarMember {
  readonly name: string
  /** Byte offset of its first header. */
  readonly offset: number
  readonly dataOffset: number
  /** Bytes. */
  readonly size: number
  /** Why it must not be used; its name is then only for messages. */
  readonly unsafe?: string
}

/** The last member of a tar ends before its time; those before it are whole. */
export class CutMember extends DamagedFile {
  readonly member: string

  constructor(member: string, message: string) {
    super(message)
    this.member = member
  }
}

const BLOCK = 512
// Headers are read in one go with what follows: small members need no second read.
const WINDOW = 16 * 1024
const MAX_NAME_BYTES = 255
const MAX_EXTENSION = 1024 * 1024
// A tar ends with two zero blocks and padding to 10 KiB; tars that were concatenated go on after it.
const MAX_ZERO_BLOCKS = 4096

/**
 * Regular files and what is unsafe, in order; directories are left out.
 *
 * @param offset of a member's first header
 * @throws DamagedFile where the tar is cut or broken, naming the last member and the byte offset
 */
export async function* tarMembers(file: OpenFile, offset: number): AsyncGenerator<TarMember> {
  let last: string | undefined
  let window: Buffer = Buffer.alloc(0)
  let windowAt = 0
  /** undefined where the file ends. */
  const block = async (at: number, length: number): Promise<Buffer | undefined> => {
    if (at < windowAt || at + length > windowAt + window.length) {
      try {
        window = await file.read(at, Math.max(WINDOW, length))
      } catch (error) {
        const damage = asDamage(error)
        const message = `cut at byte ${at}${after(last)}: ${damage.message}`
        throw new DamagedFile(message, { cause: damage })
      }
      windowAt = at
    }
    const bytes = window.subarray(at - windowAt, at - windowAt + length)
    if (bytes.length === length) return bytes
    if (bytes.length === 0) return undefined
    // A stream that ends may be damaged there.
    const rest = await file.read(at + bytes.length, 1).catch(asDamage)
    const why = rest instanceof DamagedFile ? `: ${rest.message}` : ''
    throw new DamagedFile(`cut inside a header at byte ${at}${after(last)}${why}`)
  }

  let zeroBlocks = 0
  let start = offset
  let extension: Extension = {}
  let at = offset
  for (;;) {
    const header = await block(at, BLOCK)
    if (header === undefined) break
    if (isZero(header)) {
      if (++zeroBlocks > MAX_ZERO_BLOCKS) return
      at += BLOCK
      start = at
      continue
    }
    zeroBlocks = 0
    const { type, size, name } = parseHeader(header, at, last)
    const dataOffset = at + BLOCK
    const hasData = !DATALESS.has(type)
    const next = hasData ? dataOffset + Math.ceil(size / BLOCK) * BLOCK : dataOffset
    const cut = hasData ? await findCut(file, dataOffset, size) : undefined
    if (cut !== undefined) {
      const member = printable(extension.name ?? name)
      const message = `member ${JSON.stringify(member)} at byte ${at} claims ${size} bytes; ${cut}`
      throw new CutMember(member, message)
    }
    if (EXTENSIONS.has(type)) {
      if (size > MAX_EXTENSION) throw new DamagedFile(`header of ${size} bytes at byte ${at}`)
      const body = (await block(dataOffset, size)) ?? Buffer.alloc(0)
      extension = extend(extension, parseExtension(type, body, at))
      at = next
      continue
    }
    const member = toMember({ name, type, size, extension, offset: start, dataOffset })
    // Where size and pax size differ, readers differ about where the next header is.
    if (extension.size !== undefined && extension.size !== size) {
      throw new DamagedFile(
        `two sizes, ${size} and ${extension.size}, for one member at byte ${at}`,
      )
    }
    last = member.name
    extension = {}
    at = next
    start = at
    if (type !== DIRECTORY) yield member
  }
  if (zeroBlocks === 0) {
    throw new DamagedFile(`cut at byte ${at}${after(last)}: the end mark is missing`)
  }
}

/** What is missing of a member's bytes; the size of a stream is known at its end only. */
async function findCut(file: OpenFile, start: number, size: number): Promise<string | undefined> {
  if (Number.isFinite(file.size)) {
    return start + size > file.size ? `the file ends after ${file.size - start}` : undefined
  }
  if (size === 0) return undefined
  const last = await file.read(start + size - 1, 1).catch(asDamage)
  if (last instanceof DamagedFile) return last.message
  return last.length === 1 ? undefined : 'the file ends before'
}

function after(last: string | undefined): string {
  return last === undefined ? '' : `, after member ${JSON.stringify(last)}`
}

interface Extension {
  readonly name?: string
  readonly size?: number
  readonly sparse?: boolean
  /** Two headers name the member differently: readers differ about which goes first. */
  readonly twoNames?: boolean
}

function extend(before: Extension, more: Extension): Extension {
  const differ = before.name !== undefined && more.name !== undefined && before.name !== more.name
  return { ...before, ...more, ...(differ ? { twoNames: true } : {}) }
}

const DIRECTORY = '5'
const LINKS: ReadonlyMap<string, string> = new Map([
  ['1', 'hard link'],
  ['2', 'symbolic link'],
  ['3', 'device'],
  ['4', 'device'],
  ['6', 'pipe'],
])
const DATALESS = new Set([...LINKS.keys(), DIRECTORY])
const EXTENSIONS = new Set(['x', 'g', 'L', 'K'])
const FILES = new Set(['0', '\0', '7'])

interface Header {
  readonly type: string
  readonly size: number
  readonly name: Buffer
}

function parseHeader(header: Buffer, at: number, last: string | undefined): Header {
  const sum = parseOctal(header.subarray(148, 156))
  if (sum !== checksum(header)) {
    throw new DamagedFile(`no tar header at byte ${at}${after(last)}`)
  }
  const size = parseSize(header.subarray(124, 136))
  if (size === undefined) throw new DamagedFile(`header at byte ${at} has no valid size`)
  const name = untilNul(header.subarray(0, 100))
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? untilNul(header.subarray(345, 500)) : Buffer.alloc(0)
  return {
    type: String.fromCharCode(header[156] ?? 0),
    size,
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
  }
}

/** The sum of the header's bytes with the checksum field as blanks. */
function checksum(header: Buffer): number {
  let sum = 8 * 32
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i] ?? 0
  return sum
}

function parseOctal(field: Buffer): number | undefined {
  const text = untilNul(field).toString('latin1').trim()
  if (text === '') return 0
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : undefined
}

/** Octal, or base 256 with the first bit set (GNU). */
function parseSize(field: Buffer): number | undefined {
  const first = field[0] ?? 0
  if ((first & 0x80) === 0) return parseOctal(field)
  if (first !== 0x80) return undefined // negative
  let size = 0
  for (const byte of field.subarray(1)) size = size * 256 + byte
  return Number.isSafeInteger(size) ? size : undefined
}

function untilNul(field: Buffer): Buffer {
  const end = field.indexOf(0)
  return end < 0 ? field : field.subarray(0, end)
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0)
}

/** @throws DamagedFile for what readers would understand differently */
function parseExtension(type: string, body: Buffer, offset: number): Extension {
  if (type === 'L') return { name: untilNul(body).toString('latin1') }
  if (type === 'K') return {}
  const found = parsePax(body, offset)
  if (type === 'x' || Object.keys(found).length === 0) return found
  const what = Object.keys(found).join(' and ')
  throw new DamagedFile(`global pax header at byte ${offset} sets ${what} for all members`)
}

function parsePax(body: Buffer, offset: number): Extension {
  // Records of the form "length key=value\n"; latin1 keeps bytes as they are.
  const text = body.toString('latin1')
  let found: Extension = {}
  for (let at = 0; at < text.length;) {
    const match = /^(\d{1,7}) ([^=\n]+)=/.exec(text.slice(at, at + 300))
    const length = Number(match?.[1])
    if (match === null || length <= match[0].length || at + length > text.length) {
      throw new DamagedFile(`malformed pax header at byte ${offset}`)
    }
    const value = text.slice(at + match[0].length, at + length - 1)
    if (match[2] === 'path') found = { ...found, name: value }
    if (match[2] === 'size') found = { ...found, size: Number(value) }
    if (match[2]?.startsWith('GNU.sparse') === true) found = { ...found, sparse: true }
    at += length
  }
  return found
}

interface Described extends Header {
  readonly extension: Extension
  readonly offset: number
  readonly dataOffset: number
}

function toMember(described: Described): TarMember {
  const { name: short, type, extension, offset, dataOffset, size } = described
  const bytes = extension.name === undefined ? short : Buffer.from(extension.name, 'latin1')
  const unsafe =
    (FILES.has(type) || type === DIRECTORY
      ? undefined
      : (LINKS.get(type) ?? `type ${JSON.stringify(type)}`)) ??
    (extension.sparse === true ? 'sparse file' : undefined) ??
    (extension.twoNames === true ? 'two names' : undefined) ??
    unsafeName(bytes)
  const where = { offset, dataOffset, size }
  if (unsafe !== undefined) return { ...where, name: printable(bytes), unsafe }
  return { ...where, name: bytes.toString('utf8').replace(/^(\.\/)+/, '') }
}

function unsafeName(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return 'no name'
  if (bytes.length > MAX_NAME_BYTES) return `name of ${bytes.length} bytes`
  const name = decodeUtf8(bytes)
  if (name === undefined) return 'name is not UTF-8'
  if (/\p{Cc}/u.test(name)) return 'control character in its name'
  if (name.includes('\\')) return 'back-slash in its name'
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) return 'absolute path'
  return name.split('/').includes('..') ? '".." in its path' : undefined
}

function printable(name: string | Buffer): string {
  const text = typeof name === 'string' ? name : name.toString('latin1')
  return text.slice(0, 80)
}
