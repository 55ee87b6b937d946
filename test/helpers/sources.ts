// A source read as a run reads it: planned, then every shard on its own.

import { expect } from 'vitest'
import type { Json, Shard } from '../../src/core/types.ts'
import {
  openSource,
  type CaptionSource,
  type SourceReject,
} from '../../src/ingest/source/source.ts'
import type { SourceRow } from '../../src/core/types.ts'
import { InputError } from '../../src/core/errors.ts'
import type {
  Network,
  OpenFile,
  SourceFile,
  SourceFiles,
} from '../../src/ingest/source/files/files.ts'
import { sourceOptionsSchema } from '../../src/ingest/source/options.ts'
import type { z } from 'zod'

export type SourceConfig = z.input<typeof sourceOptionsSchema>
export type { Network }
export type Item = SourceRow | SourceReject

const never = new AbortController().signal

export function open(config: SourceConfig, network?: Network): Promise<CaptionSource> {
  return openSource(sourceOptionsSchema.parse(config), never, network)
}

export async function planOf(source: CaptionSource, samplesPerShard: number): Promise<Shard[]> {
  const shards: Shard[] = []
  for await (const shard of source.plan(samplesPerShard, never)) shards.push(shard)
  return shards
}

export async function readShard(source: CaptionSource, shard: Shard): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of source.read(shard, never)) items.push(item)
  return items
}

/**
 * What every source promises, checked: shards are contiguous, each is read alone and out of order
 * by a source of its own from a plan that went through JSON, and the rows are the same whatever the
 * size of the shards.
 *
 * @returns the rows
 */
export async function readSource(
  config: SourceConfig,
  sizes = [1000, 3, 1],
  network?: Network,
): Promise<Item[]> {
  let rows: Item[] | undefined
  let identity: Json | undefined
  for (const size of sizes) {
    const planner = await open(config, network)
    const plan = JSON.parse(JSON.stringify(await planOf(planner, size))) as Shard[]
    await planner.close()

    const reader = await open(config, network)
    identity ??= reader.identity
    expect(reader.identity).toEqual(identity)
    const found: Item[][] = []
    for (const shard of [...plan].reverse()) {
      const items = await readShard(reader, shard)
      expect(items.map(({ row }) => row)).toEqual(
        Array.from({ length: shard.end - shard.start }, (_, index) => shard.start + index),
      )
      found.unshift(items)
    }
    await reader.close()

    expect(plan.map(({ id }) => id)).toEqual(plan.map((_, index) => index))
    expect(plan.map(({ start }) => start)).toEqual(plan.map((_, index) => index * size))
    const all = found.flat()
    expect(plan.at(-1)?.end ?? 0).toBe(all.length)
    rows ??= all
    expect(all).toEqual(rows)
  }
  return rows ?? []
}

/** Rows that could be read; fails on the first that could not. */
export function rowsOf(items: readonly Item[]): SourceRow[] {
  return items.map((item) => {
    if ('code' in item) throw new Error(`row ${item.row}: ${item.code}: ${item.detail}`)
    return item
  })
}

/** Codes of the rows, "ok" for those that could be read. */
export function codesOf(items: readonly Item[]): string[] {
  return items.map((item) => ('code' in item ? item.code : 'ok'))
}

/** The one message of an error. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return `${error.name}: ${error.message}`
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Files in memory; `chunk` bytes come at once. */
export function memoryFiles(
  contents: Readonly<Record<string, string | Uint8Array>>,
  chunk = 7,
): SourceFiles {
  const bytesOf = (path: string) => {
    const content = contents[path]
    if (content === undefined) throw new InputError(`${path} is not there`)
    return Buffer.from(content)
  }
  const open = async (path: string): Promise<OpenFile> => {
    const bytes = bytesOf(path)
    return {
      size: bytes.length,
      read: async (start, length) => bytes.subarray(start, start + length),
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
  const file = (path: string): SourceFile => ({
    path,
    signal: never,
    beside: file,
    open: () => open(path),
    openForward: () => open(path),
    stream: async function* (offset) {
      const bytes = bytesOf(path)
      for (let at = offset; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
    },
    describe: async () => ({ size: bytesOf(path).length }),
  })
  return {
    file,
    listObjects: () => {
      throw new Error('no objects in memory')
    },
  }
}

/** Everything that comes. */
export async function collectAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
