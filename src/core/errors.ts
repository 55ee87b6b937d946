// One class per consequence: drop the sample, fail the shard, stop the run, refuse to start.

import type { ReasonCode } from './reasons.ts'

/** What is known about a failed fetch, beside its code. */
export interface SampleErrorContext {
  readonly httpStatus?: number
  readonly host?: string
  readonly attempts?: number
  /** ISO 8601; of a match with a hash list. */
  readonly time?: string
  /** Stands for the URL or path, which such a match does not name. */
  readonly urlDigest?: string
  readonly cause?: unknown
}

/** This pair cannot be labelled: it becomes a line of the shard's rejects, counted by `code`. */
export class SampleError extends Error {
  override readonly name = 'SampleError'
  readonly code: ReasonCode
  readonly context: SampleErrorContext

  /** @param detail what failed and with which value, e.g. "31250x4 px; the smallest side must be 32 px" */
  constructor(code: ReasonCode, detail: string, context: SampleErrorContext = {}) {
    super(cleanDetail(detail), { cause: context.cause })
    this.code = code
    this.context = context
  }
}

/** This shard cannot finish now: it stays incomplete, other shards go on, the run exits 1. Before any shard: exit 75. */
export class ShardError extends Error {
  override readonly name = 'ShardError'
}

/** Nothing can go on (disk full, teacher gone): the run stops, exit 1. */
export class FatalError extends Error {
  override readonly name = 'FatalError'
}

/** Found before any work: the message names the field, the value and what is allowed. Exit 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The input is not what it claims to be (corrupt file, wrong format). Exit 65. */
export class InputError extends Error {
  override readonly name = 'InputError'
}

const MAX_DETAIL = 200

/** Cuts to 200 characters (never through a surrogate pair) and replaces control characters by spaces. */
export function cleanDetail(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ').trim()
  if (clean.length <= MAX_DETAIL) return clean
  const cut = clean.slice(0, MAX_DETAIL - 1)
  return (/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut) + '…'
}

/** Thrown values are unknown; a message can be had from each. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
