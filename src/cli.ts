// argv to a command to an exit code. Errors become messages here and nowhere else.

import { Command, CommanderError } from 'commander'
import type { Io, RegisterCommand } from './commands/command.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerExport } from './commands/export.ts'
import { registerPhrases } from './commands/phrases.ts'
import { registerRetryFailed } from './commands/retry-failed.ts'
import { registerRun } from './commands/run.ts'
import { registerStatus } from './commands/status.ts'
import { registerTeacher } from './commands/teacher.ts'
import { registerValidate } from './commands/validate.ts'
import { ConfigError, FatalError, InputError, ShardError } from './core/errors.ts'
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

/** Promised by the command line's contract, not built yet. */
const NOT_YET = ['report', 'view', 'calibrate', 'worker']

/** Why a signal ended the program. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${signal}; repeat the command to resume`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

/** @param argv without the program's own name, e.g. ['run', 'configs/demo.yaml'] */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0
  const finish = (code: number) => {
    exitCode = code
  }
  const program = new Command('groundmill')
    .description('Pseudo-labels for web image-text pairs: captions in, grounded phrases out.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
  for (const register of COMMANDS) register(program, io, finish)
  for (const name of NOT_YET) {
    program
      .command(name, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw new ConfigError(`"groundmill ${name}" is not available yet`)
      })
  }
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    return exitCodeOf(error, io)
  }
}

function exitCodeOf(error: unknown, io: Io): number {
  const reason: unknown = io.signal.aborted ? io.signal.reason : error
  if (reason instanceof CommanderError) return reason.exitCode === 0 ? 0 : 2
  const say = (text: string) => io.stderr.write(`groundmill: ${text}\n`)
  if (reason instanceof Interrupted) {
    say(reason.message)
    return reason.exitCode
  }
  if (reason instanceof ConfigError) {
    say(reason.message)
    return 2
  }
  if (reason instanceof InputError) {
    say(reason.message)
    return 65
  }
  if (reason instanceof FatalError) {
    say(reason.message)
    return 1
  }
  if (reason instanceof ShardError) {
    say(reason.message)
    return 75
  }
  say(
    `unexpected error, please report it: ${reason instanceof Error ? (reason.stack ?? '') : String(reason)}`,
  )
  return 1
}
