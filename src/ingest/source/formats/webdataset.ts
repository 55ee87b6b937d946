// WebDataset tars: consecutive members that share their path up to the first dot of the base name
// are one sample. A tar is indexed once by its headers; samples are then read in place. A gzipped one is
// a stream: positions count unpacked bytes, and a shard that begins inside it unpacks what is before.

import { z } from 'zod'
import type { SourceOptions } from '../options.ts'
import { shortPath } from '../files/addresses.ts'
import type { OpenFile, SourceFile } from '../files/files.ts'
import {
  asDamage,
  DamagedFile,
  isFields,
  isMarked,
  placed,
  survivingDamage,
  toPosition,
  type Fields,
  type RawRow,
  type RejectedRow,
  type SourceFormat,
} from './format.ts'
import { decodeUtf8 } from '../utf8.ts'
import { parseJson } from './text-bytes.ts'
import { openUnpacked } from '../files/packed-bytes.ts'
import { CutMember, tarMembers, type TarMember } from '../files/tar-members.ts'

const MAX_FIELDS = 64
// About 100 bytes of memory each while a tar is planned.
const MAX_SAMPLES = 2_000_000

/** Endings of members and files that are images, in lower case. */
export const imageEndings = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff']

/**
 * Where reading begins: a member's header, and which of the rows up to the next mark (counted from
 * this one) have a key that came before.
 */
const positionSchema = z.object({ offset: z.number(), repeated: z.array(z.number()) }).optional()

/**
 * @param wanted columns to read: member endings, or keys of the json member
 * @param options with the most samples of one tar; what follows is damage
 */
export function createWebDatasetFormat(
  wanted: readonly string[],
  options: SourceOptions & { readonly maxSamples?: number },
): SourceFormat {
  const { maxSamples = MAX_SAMPLES } = options
  const tooManySamples = (offset: number) =>
    new DamagedFile(`more than ${maxSamples} samples, from byte ${offset} on`)
  return survivingDamage({
    columns: async (tar) => {
      await using file = await openUnpacked(tar)
      for await (const sample of samples(file, 0)) {
        if (sample.members.length === 0) continue
        const row = await readSample(file, sample, { ...options, wanted: undefined })
        if (!('code' in row)) return Object.keys(row.fields)
      }
      return []
    },
    marks: async function* (tar, { seen, ...grid }) {
      await using file = await openUnpacked(tar)
      const keys = new Set<string>()
      // Held back until all rows up to the next mark have been seen.
      let mark: { row: number; position: { offset: number; repeated: number[] } } | undefined
      try {
        for await (const { key, offset, reject } of samples(file, 0)) {
          tar.signal.throwIfAborted()
          const row = seen.rows
          if (row === maxSamples) throw tooManySamples(offset)
          if (isMarked(row, grid)) {
            if (mark !== undefined) yield mark
            mark = { row, position: { offset, repeated: [] } }
          }
          const isRepeated = reject === undefined && keys.size === keys.add(key).size
          if (isRepeated) mark?.position.repeated.push(row - mark.row)
          seen.rows++
        }
      } catch (error) {
        if (error instanceof DamagedFile && mark !== undefined) yield mark
        throw error
      }
      if (mark !== undefined) yield mark
    },
    read: async function* (tar, position) {
      const start = toPosition(positionSchema, tar.path, position)
      await using file = await openUnpacked(tar)
      const repeated = new Set(start?.repeated)
      // From the beginning of a file every key that came before has been seen.
      const keys = start === undefined ? new Set<string>() : undefined
      let row = 0
      for await (const sample of samples(file, start?.offset ?? 0)) {
        tar.signal.throwIfAborted()
        if (row === maxSamples) throw tooManySamples(sample.offset)
        const isRepeated =
          keys === undefined
            ? repeated.has(row)
            : sample.reject === undefined && keys.size === keys.add(sample.key).size
        const found =
          sample.reject ??
          (isRepeated
            ? repeatedKey(sample)
            : await readSample(file, sample, { ...options, wanted }))
        yield placed(shortPath(tar.path), found)
        row++
      }
    },
  })
}

/** The keys of a tar as far as it can be read. */
export async function tarKeys(tar: SourceFile): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  await using file = await openUnpacked(tar)
  try {
    for await (const { key, reject } of samples(file, 0)) {
      tar.signal.throwIfAborted()
      if (reject === undefined) keys.add(key)
    }
  } catch (error) {
    asDamage(error) // the keys before it count
  }
  return keys
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

async function* samples(file: OpenFile, offset: number): AsyncGenerator<Sample> {
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
    for await (const member of tarMembers(file, offset)) {
      if (member.unsafe !== undefined) {
        if (open !== undefined) yield close(open)
        open = undefined
        const detail = `member ${JSON.stringify(member.name)} at byte ${member.offset}: ${member.unsafe}`
        const reject = { code: 'member_unsafe', detail } as const
        yield { key: member.name, offset: member.offset, members: [], reject }
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
    if (error instanceof CutMember && MEMBER.exec(error.member)?.[1] !== open.key) {
      yield close(open)
      throw error
    }
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

async function readSample(file: OpenFile, sample: Sample, limits: Limits): Promise<RawRow> {
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
    const bytes = await file.read(member.dataOffset, member.size)
    if (bytes.length < member.size) {
      throw new DamagedFile(
        `member ${JSON.stringify(member.name)} is cut after ${bytes.length} bytes`,
      )
    }
    const value = isImage ? { bytes, path: member.name } : bytes
    fields[member.ending] = value
    if (isDefault) fields['image'] = value
    if (isJson) {
      const parsed = parseJson(decodeUtf8(bytes) ?? '')
      if (parsed instanceof Error || !isFields(parsed)) {
        const problem = parsed instanceof Error ? 'no JSON in UTF-8' : 'no JSON object'
        const detail = `member ${JSON.stringify(member.name)}: ${problem}`
        return { code: 'row_malformed', detail }
      }
      json = parsed
    }
  }
  // A member goes before a key of the json with its name.
  return { fields: { ...json, ...fields } }
}
