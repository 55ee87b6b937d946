// WebDataset tars: consecutive members that share their path up to the first dot of the base name
// are one sample. A tar is indexed once by its headers; samples are then read in place.

import type { FileHandle } from 'node:fs/promises'
import { InputError } from '../../core/errors.ts'
import type { SourceOptions } from '../source-options.ts'
import { createCache } from './cache.ts'
import {
  DamagedFile,
  openFile,
  readAt,
  shortPath,
  toRowNumber,
  type Fields,
  type RawRow,
  type RejectedRow,
  type SourceFormat,
} from './format.ts'
import { tarMembers, type TarMember } from './tar-members.ts'

const INDEXES_KEPT = 4
const MAX_FIELDS = 64
// About 300 bytes of memory each while a tar is indexed.
const MAX_SAMPLES = 2_000_000

export const imageEndings = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff']

/** Where the samples of one tar begin. */
interface TarIndex {
  /** Byte offset of each row's first header. */
  readonly offsets: readonly number[]
  /** Rows whose key came before. */
  readonly repeated: ReadonlySet<number>
  /** The last row stands for what could not be read. */
  readonly damage?: DamagedFile
}

/** @param wanted columns to read: member endings, or keys of the json member */
export function createWebDatasetFormat(
  wanted: readonly string[],
  options: SourceOptions,
): SourceFormat {
  const indexes = createCache<TarIndex>(INDEXES_KEPT)
  const indexOf = (path: string, signal: AbortSignal) =>
    indexes.get(path, () => withTar(path, (file) => indexTar(file, path, signal)))

  return {
    columns: async (path, signal) => {
      signal.throwIfAborted()
      return withTar(path, async (file) => {
        try {
          for await (const sample of samples(file, path, 0)) {
            if (sample.members.length === 0) continue
            const fields = await readSample(file, path, sample, { ...options, wanted: undefined })
            if ('code' in fields) continue
            return Object.keys(fields.fields)
          }
        } catch (error) {
          if (!(error instanceof DamagedFile)) throw error
          throw new InputError(`${path}: ${error.message}`, { cause: error })
        }
        return []
      })
    },
    marks: async function* (path, { first, stride }, signal) {
      const { offsets } = await indexOf(path, signal)
      for (let row = first; row < offsets.length; row += stride) yield { row, position: row }
      yield { rows: offsets.length }
    },
    read: async function* (path, position, signal) {
      const { offsets, repeated, damage } = await indexOf(path, signal)
      let row = toRowNumber(path, position)
      const start = offsets[row]
      if (start === undefined) return
      const file = await openFile(path)
      const lastGood = offsets.length - (damage === undefined ? 0 : 1)
      try {
        if (row < lastGood) {
          for await (const sample of samples(file, path, start)) {
            signal.throwIfAborted()
            const raw = repeated.has(row)
              ? repeatedKey(sample)
              : await readSample(file, path, sample, { ...options, wanted })
            yield 'code' in raw ? { ...raw, detail: `${shortPath(path)}: ${raw.detail}` } : raw
            if (++row === lastGood) break
          }
        }
        if (damage !== undefined) {
          const detail = `${shortPath(path)}: ${damage.message}`
          yield { code: 'source_damaged', detail }
        }
      } finally {
        await file.close()
      }
    },
    close: async () => {
      indexes.clear()
    },
  }
}

async function indexTar(file: FileHandle, path: string, signal: AbortSignal): Promise<TarIndex> {
  const offsets: number[] = []
  const repeated = new Set<number>()
  const keys = new Set<string>()
  try {
    for await (const { key, offset, reject } of samples(file, path, 0)) {
      signal.throwIfAborted()
      if (offsets.length === MAX_SAMPLES) {
        throw new DamagedFile(`more than ${MAX_SAMPLES} samples, from byte ${offset} on`)
      }
      if (reject === undefined && keys.size === keys.add(key).size) repeated.add(offsets.length)
      offsets.push(offset)
    }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    offsets.push(offsets.at(-1) ?? 0)
    return { offsets, repeated, damage: error }
  }
  return { offsets, repeated }
}

interface Sample {
  readonly key: string
  readonly offset: number
  readonly members: readonly Member[]
  /** A member that cannot be part of a sample is a row of its own. */
  readonly reject?: RejectedRow
}

interface Member extends TarMember {
  /** Lower case, what follows the first dot of the base name. */
  readonly ending: string
}

// Hidden files and those without an ending belong to no sample.
const MEMBER = /^((?:.*\/)?[^./][^./]*)\.([^/]+)$/

async function* samples(file: FileHandle, path: string, offset: number): AsyncGenerator<Sample> {
  let open: { key: string; offset: number; members: Member[]; tooMany: boolean } | undefined
  const close = (sample: NonNullable<typeof open>): Sample => {
    const { key, members, tooMany } = sample
    const twice = members.find(
      ({ ending }, index) => members.findIndex((other) => other.ending === ending) !== index,
    )
    const problem = tooMany
      ? `more than ${MAX_FIELDS} members`
      : twice === undefined
        ? undefined
        : `two members with the ending ${twice.ending}`
    if (problem === undefined) return { key, offset: sample.offset, members }
    const detail = `sample ${JSON.stringify(key)}: ${problem}`
    return { key, offset: sample.offset, members: [], reject: { code: 'row_malformed', detail } }
  }
  try {
    for await (const member of tarMembers(file, path, offset)) {
      if (member.unsafe !== undefined) {
        if (open !== undefined) yield close(open)
        open = undefined
        const detail = `member ${JSON.stringify(member.name)} at byte ${member.offset}: ${member.unsafe}`
        yield {
          key: member.name,
          offset: member.offset,
          members: [],
          reject: { code: 'member_unsafe', detail },
        }
        continue
      }
      const [, key, ending] = MEMBER.exec(member.name) ?? []
      if (key === undefined || ending === undefined) continue
      if (open?.key !== key) {
        if (open !== undefined) yield close(open)
        open = { key, offset: member.offset, members: [], tooMany: false }
      }
      if (open.members.length === MAX_FIELDS) open.tooMany = true
      else open.members.push({ ...member, ending: ending.toLowerCase() })
    }
  } catch (error) {
    // A sample whose next member is cut off may itself be incomplete: it is part of the damage.
    if (!(error instanceof DamagedFile) || open === undefined) throw error
    throw new DamagedFile(`sample ${JSON.stringify(open.key)}: ${error.message}`, { cause: error })
  }
  if (open !== undefined) yield close(open)
}

function repeatedKey({ key, offset }: Sample): RejectedRow {
  const detail = `key ${JSON.stringify(key)} at byte ${offset} came before in this tar`
  return { code: 'key_duplicate', detail }
}

type Limits = Pick<SourceOptions, 'maxImageBytes' | 'maxRowBytes'> & {
  /** undefined: everything but images. */
  readonly wanted: readonly string[] | undefined
}

async function readSample(
  file: FileHandle,
  path: string,
  sample: Sample,
  limits: Limits,
): Promise<RawRow> {
  if (sample.reject !== undefined) return sample.reject
  const { wanted } = limits
  const fields: Record<string, unknown> = {}
  const isMember = new Set(sample.members.map((member) => member.ending))
  const needsJson = wanted?.some((name) => name !== 'image' && !isMember.has(name)) ?? true
  let json: Fields | undefined
  for (const member of sample.members) {
    const isImage = imageEndings.includes(member.ending)
    const isAsked = wanted?.includes(member.ending) ?? false
    // The first image member is the sample's image, under a name that does not depend on its kind.
    const isDefault = isImage && !('image' in fields)
    if (wanted === undefined && isImage) {
      fields[member.ending] = true
      if (isDefault) fields['image'] = true
      continue
    }
    const isJson = member.ending === 'json' && needsJson
    const isText = wanted === undefined && !isImage
    if (!isAsked && !isJson && !isText && !(isDefault && (wanted?.includes('image') ?? false))) {
      continue
    }
    const limit = isImage ? limits.maxImageBytes : limits.maxRowBytes
    if (member.size > limit) {
      if (wanted === undefined) continue
      const detail = `member ${JSON.stringify(member.name)} has ${member.size} bytes; the limit is ${limit}`
      return { code: 'row_too_long', detail }
    }
    const bytes = await readAt(file, path, member.dataOffset, member.size)
    const value = isImage ? { bytes, path: member.name } : bytes
    fields[member.ending] = value
    if (isDefault) fields['image'] = value
    if (isJson) {
      const parsed = parseJsonMember(bytes)
      if (typeof parsed === 'string') {
        const detail = `member ${JSON.stringify(member.name)}: ${parsed}`
        return { code: 'row_malformed', detail }
      }
      json = parsed
    }
  }
  // A member goes before a key of the json with its name.
  return { fields: { ...json, ...fields } }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseJsonMember(bytes: Uint8Array): Fields | string {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
    return 'no JSON object'
  } catch {
    return 'no JSON in UTF-8'
  }
}

async function withTar<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await openFile(path)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
