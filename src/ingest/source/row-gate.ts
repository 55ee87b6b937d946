// Which rows of a source are wanted at all, by the value of a column.

import type { Json } from '../../core/types.ts'
import { openAllowList } from './allow-list.ts'
import type { SourceOptions } from './options.ts'
import type { Fields, RejectedRow } from './formats/format.ts'
import { valueOf } from './map-row.ts'

/** Lets rows pass by the value of one column. */
export interface RowGate {
  /** What is added to the identity of the source. */
  readonly identity: { readonly [key: string]: Json }
  /** @returns not_listed, or undefined for a row that is wanted */
  check(fields: Fields): Promise<RejectedRow | undefined>
  close(): Promise<void>
}

/** @throws ConfigError if a list cannot be read */
export async function openRowGate(
  options: SourceOptions['allowList'],
  signal: AbortSignal,
): Promise<RowGate | undefined> {
  if (options === undefined) return undefined
  const { column } = options
  const list = await openAllowList(options.files, signal)
  return {
    identity: { allowList: { column, files: list.identity } },
    check: async (fields) => {
      const value = asListed(valueOf(fields, column))
      if (value !== undefined && (await list.has(value))) return undefined
      const detail = value === undefined ? `nothing in column ${column}` : `${column} ${value}`
      return { code: 'not_listed', detail }
    },
    close: () => list.close(),
  }
}

/** A value as a list may have it; undefined where there is none. */
function asListed(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  return ['string', 'number', 'bigint'].includes(typeof value) ? String(value) : undefined
}
