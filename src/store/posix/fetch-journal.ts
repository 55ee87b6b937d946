// What was fetched for a shard that is not committed yet: an append-only file beside the shard, so
// that a killed process costs the requests in flight and not the shard. Every process writes a file
// of its own and reads those that others left.
//
// A record is three little-endian uint32 (length of the header, length of the body, CRC-32 of both),
// a header in JSON and the body, the image as it was received. A record that was cut by a kill, and
// what follows it, is ignored.

import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { SampleError } from '../../core/errors.ts'
import { REASONS, type ReasonCode } from '../../core/reasons.ts'
import type { FilePart } from '../../core/types.ts'
import { readExactly, readPart } from '../../system/read-part.ts'
import type { FetchJournal, JournaledFetch, ShardVersion } from '../run-store.ts'
import { createAppendedFile } from './appended-file.ts'
import { namesIn } from './durable.ts'

/** A power cut loses at most this much; a kill of the process alone loses nothing that was added. */
const SYNC_EVERY_MS = 3_000
/** Bytes that are read without waiting for a thread. */
const MAX_SYNC_READ = 2 ** 20
const PREFIX_BYTES = 12
const MAX_HEADER_BYTES = 64 * 1024

const headerSchema = z.object({
  url: z.string(),
  error: z
    .object({
      code: z.enum(Object.keys(REASONS) as [ReasonCode, ...ReasonCode[]]),
      detail: z.string(),
      httpStatus: z.int().optional(),
      host: z.string().optional(),
      attempts: z.int().optional(),
    })
    .optional(),
})
type Header = z.output<typeof headerSchema>

/** @param folder of journals, which is there */
export async function openFetchJournal(folder: string, of: ShardVersion): Promise<FetchJournal> {
  const known = new Map<string, JournaledFetch>()
  const handles: fs.FileHandle[] = []
  for (const file of await journalFiles(folder, of)) {
    const handle = await fs.open(file, 'r')
    handles.push(handle)
    for await (const { header, offset, length } of scan(handle)) {
      const part = { path: file, offset, length }
      known.set(header.url, failureIn(header) ?? storedAt(handle, part))
    }
  }
  const id = String(of.shard).padStart(5, '0')
  const name = `.${id}.v${of.version}.journal-${randomBytes(8).toString('hex')}`
  const own = path.join(folder, name)
  const writer = createAppendedFile(own, SYNC_EVERY_MS)
  const close = async () => {
    await writer.close().catch(() => undefined) // whoever added to it has been told
    await Promise.all(handles.splice(0).map((handle) => handle.close()))
  }
  return {
    find: (url) => known.get(url),
    add: async (url, outcome) => {
      if (outcome instanceof SampleError) {
        await writer.append(encodeRecord({ url, error: fieldsOf(outcome) }, new Uint8Array(0)))
        return { error: outcome }
      }
      const { handle, end } = await writer.append(encodeRecord({ url }, outcome))
      const { length } = outcome
      return storedAt(handle, { path: own, offset: end - length, length })
    },
    close,
    remove: async () => {
      await close()
      for (const file of await journalFiles(folder, of)) {
        await fs.rm(file, { force: true })
      }
    },
  }
}

const FILE = /^\.(\d{5,})\.v(\d+)\.journal-/

async function journalFiles(folder: string, of: ShardVersion): Promise<string[]> {
  return (await allJournals(folder))
    .filter(({ shard, version }) => shard === of.shard && version === of.version)
    .map(({ path }) => path)
}

async function allJournals(folder: string) {
  return (await namesIn(folder)).flatMap((name) => {
    const match = FILE.exec(name)
    if (match === null) return []
    return [{ shard: Number(match[1]), version: Number(match[2]), path: path.join(folder, name) }]
  })
}

/** Removes what a process killed right after a commit has left, given the committed versions. */
export async function removeOldJournals(
  folder: string,
  commits: readonly ShardVersion[],
): Promise<void> {
  const committed = new Map(commits.map(({ shard, version }) => [shard, version]))
  for (const file of await allJournals(folder)) {
    if ((committed.get(file.shard) ?? 0) >= file.version) await fs.rm(file.path, { force: true })
  }
}

function failureIn({ error }: Header): JournaledFetch | undefined {
  if (error === undefined) return undefined
  const { code, detail, ...context } = error
  return { error: new SampleError(code, detail, JSON.parse(JSON.stringify(context)) as object) }
}

/** A function of its own, so that what waits to be read holds no body in memory. */
function storedAt(handle: fs.FileHandle, part: FilePart): JournaledFetch {
  // Whoever checked the image has just read it.
  const { offset, length } = part
  const read = async () =>
    length <= MAX_SYNC_READ
      ? readPart(handle.fd, offset, length)
      : readExactly(handle, offset, length)
  return { part, read }
}

function fieldsOf({ code, message, context }: SampleError): Header['error'] {
  const { httpStatus, host, attempts } = context
  return { code, detail: message, httpStatus, host, attempts }
}

/** The parts of a record; the body is not copied. */
function encodeRecord(header: Header, body: Uint8Array): Uint8Array[] {
  const text = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32LE(text.length, 0)
  prefix.writeUInt32LE(body.length, 4)
  prefix.writeUInt32LE(crc32(body, crc32(text)), 8)
  return [prefix, text, body]
}

interface Scanned {
  readonly header: Header
  /** Of the body in the file. */
  readonly offset: number
  readonly length: number
}

/** The whole records of a file, until the first that is not. */
async function* scan(handle: fs.FileHandle): AsyncGenerator<Scanned> {
  const { size } = await handle.stat()
  for (let at = 0; at + PREFIX_BYTES <= size;) {
    const prefix = await readExactly(handle, at, PREFIX_BYTES)
    const [headerLength, length] = [prefix.readUInt32LE(0), prefix.readUInt32LE(4)]
    const end = at + PREFIX_BYTES + headerLength + length
    if (headerLength > MAX_HEADER_BYTES || end > size) return
    const content = await readExactly(handle, at + PREFIX_BYTES, headerLength + length)
    if (crc32(content) !== prefix.readUInt32LE(8)) return
    const header = parseHeader(content.subarray(0, headerLength))
    if (header === undefined) return
    yield { header, offset: at + PREFIX_BYTES + headerLength, length }
    at = end
  }
}

function parseHeader(bytes: Buffer): Header | undefined {
  try {
    return headerSchema.parse(JSON.parse(bytes.toString()))
  } catch {
    return undefined
  }
}
