// argv to a command to an exit code. Errors become messages here and nowhere else.

import { Command, CommanderError } from 'commander'
import type { Io, RegisterCommand, Session } from './commands/command.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerExport } from './commands/export.ts'
import { registerPhrases } from './commands/phrases.ts'
import { registerRetryFailed } from './commands/retry-failed.ts'
import { registerRun } from './commands/run.ts'
import { registerStatus } from './commands/status.ts'
import { registerTeacher } from './commands/teacher.ts'
import { registerValidate } from './commands/validate.ts'
import { ConfigError, FatalError, InputError, messageOf, ShardError } from './core/errors.ts'
import { VERSION } from './version.ts'

const COMMANDS: readonly RegisterCommand[] = [
  registerRun,
  registerStatus,
  registerExport,
  registerValidate,
  registerPhrases,
  registerTeacher,
  registerRetryFailed,
  registerDoctor,
]

/** Why a signal ended the program. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${signal}; repeat the command to resume`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

/**
 * Runs one command; whatever is thrown becomes a line on stderr.
 *
 * @param argv without the program's own name, e.g. ['run', 'configs/demo.yaml']
 * @returns the exit code, see `Session`
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0
  const session: Session = {
    ...io,
    finish: (code) => {
      exitCode = code
    },
  }
  const program = new Command('groundmill')
    .description('Pseudo-labels for web image-text pairs: captions in, grounded phrases out.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
  for (const register of COMMANDS) register(program, session)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    return exitCodeOf(error, io)
  }
}

/** Of errors that a command throws by plan; anything else is a bug. */
const EXIT_CODES = [
  [ConfigError, 2],
  [InputError, 65],
  [FatalError, 1],
  [ShardError, 75],
] as const

function exitCodeOf(error: unknown, io: Io): number {
  const reason: unknown = io.signal.aborted ? io.signal.reason : error
  if (reason instanceof CommanderError) return reason.exitCode === 0 ? 0 : 2
  const known = EXIT_CODES.find(([kind]) => reason instanceof kind)
  const code = reason instanceof Interrupted ? reason.exitCode : known?.[1]
  const text =
    code === undefined
      ? `unexpected error, please report it: ${stackOf(reason)}`
      : messageOf(reason)
  io.stderr.write(`groundmill: ${text}\n`)
  return code ?? 1
}

function stackOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.stack : undefined) ?? messageOf(thrown)
}
