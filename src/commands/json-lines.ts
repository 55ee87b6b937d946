// JSON Lines from a stream of bytes, with line numbers for messages; and to a stream, at its pace.

import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { InputError, messageOf } from '../core/errors.ts'
import type { Io } from './command.ts'

/** A line that is JSON, whatever it says. */
export interface JsonLine {
  /** From 1. */
  readonly line: number
  readonly value: unknown
}

const NEWLINE = 10
const MAX_LINE_BYTES = 16 * 1024 * 1024

/**
 * Groups of lines as they come in, so that a slow producer's lines do not wait for each other; lines of
 * nothing but space are skipped.
 *
 * @param maxGroup lines of a group at most
 * @throws InputError naming the line that is no JSON, no UTF-8 or over 16 MiB; lines before it have
 *   been yielded
 */
export async function* readJsonLines(
  input: Readable,
  maxGroup: number,
): AsyncGenerator<readonly JsonLine[], void, undefined> {
  let pending: Buffer = Buffer.alloc(0)
  let line = 0
  for await (const chunk of input as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
    const ends: number[] = []
    for (let at = pending.indexOf(NEWLINE); at >= 0; at = pending.indexOf(NEWLINE, at + 1)) {
      ends.push(at)
    }
    let start = 0
    const lines = ends.map((end) => {
      const one = pending.subarray(start, end)
      start = end + 1
      return one
    })
    pending = pending.subarray(start)
    yield* groupsOf(lines)
    if (pending.length > MAX_LINE_BYTES) {
      throw new InputError(`line ${line + 1}: longer than ${MAX_LINE_BYTES} bytes`)
    }
  }
  yield* groupsOf([pending])

  function* groupsOf(lines: readonly Uint8Array[]): Generator<readonly JsonLine[]> {
    let group: JsonLine[] = []
    for (const bytes of lines) {
      line++
      let parsed: JsonLine | undefined
      try {
        parsed = parseLine(bytes, line)
      } catch (error) {
        if (group.length > 0) yield group
        throw error
      }
      if (parsed === undefined) continue
      group.push(parsed)
      if (group.length < maxGroup) continue
      yield group
      group = []
    }
    if (group.length > 0) yield group
  }
}

function parseLine(bytes: Uint8Array, line: number): JsonLine | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError(`line ${line}: is not UTF-8`)
  }
  if (text.trim() === '') return undefined
  try {
    return { line, value: JSON.parse(text) as unknown }
  } catch (error) {
    throw new InputError(`line ${line}: is not JSON: ${messageOf(error)}`)
  }
}

/** Writes one value per line; waits while the reader is slower. */
export async function writeJsonLines(
  { stdout, signal }: Pick<Io, 'stdout' | 'signal'>,
  values: readonly unknown[],
): Promise<void> {
  const text = values.map((value) => `${JSON.stringify(value)}\n`).join('')
  if (text !== '' && !stdout.write(text)) await once(stdout, 'drain', { signal })
}
