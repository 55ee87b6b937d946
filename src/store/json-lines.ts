// Files of the run folder with one JSON value per line.

import { InputError, messageOf } from '../core/errors.ts'
import type { RunStore } from './run-store.ts'

/** A file of values that are all of one kind. */
export interface JsonLines<T> {
  readonly name: string
  /** What one value is called in messages. */
  readonly what: string
  /** @throws if it is none */
  readonly parse: (value: unknown) => T
}

/**
 * The values in order.
 *
 * @throws InputError if there is no such file, or naming the line that is none
 */
export async function* readJsonLines<T>(
  store: RunStore,
  { name, what, parse }: JsonLines<T>,
): AsyncGenerator<T> {
  const file = store.address(name)
  const text = await store.read(name)
  if (text === undefined) throw new InputError(`${file} cannot be read: it is not there`)
  // Only line feeds end a line: those inside strings are escaped in JSON.
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue
    let value: T
    try {
      value = parse(JSON.parse(line))
    } catch (error) {
      throw new InputError(`${file}, line ${index + 1}: not a ${what}: ${messageOf(error)}`)
    }
    yield value
  }
}
