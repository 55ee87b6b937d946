// What every command of the CLI gets from its caller; tests pass their own streams.

import type { Readable, Writable } from 'node:stream'
import { InvalidArgumentError, Option, type Command } from 'commander'

/** Where a command reads and writes. */
export interface Io {
  readonly stdin: Readable
  /** Results only. */
  readonly stdout: Writable
  /** Progress and logs. */
  readonly stderr: Writable & { readonly isTTY?: boolean }
  /** Aborted by SIGINT or SIGTERM: stop taking new work, finish or journal what is in flight. */
  readonly signal: AbortSignal
}

/** What an action works with. */
export interface Session extends Io {
  /**
   * Sets the exit code, which is 0 (done) otherwise: 1 run incomplete, 2 configuration or usage, 65 bad
   * input, 75 try again, 130/143 interrupted.
   */
  finish(exitCode: number): void
}

/** Adds one command to the program. */
export type RegisterCommand = (program: Command, session: Session) => void

/** `--log`, of commands that take long; see LogMode. */
export const logOption = new Option('--log <mode>', 'progress on stderr: a bar or JSON lines')
  .choices(['auto', 'bar', 'json'])
  .default('auto')

/** For options that may be repeated. */
export function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value]
}

/** Parses an option's value. @throws InvalidArgumentError */
export function positiveInt(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('expected a whole number from 1')
  }
  return value
}
