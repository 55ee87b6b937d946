import { Readable, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Interrupted, main } from '../src/cli.ts'
import { ConfigError, FatalError, InputError, ShardError } from '../src/core/errors.ts'
import { VERSION } from '../src/version.ts'
import { collector } from './helpers/collector.ts'
import { runMain } from './helpers/main.ts'

const RUN = 'test/fixtures/runs/0.1.0/run'

/** `status` of a sound run, whose output throws. */
async function statusThatThrows(thrown: unknown, signal = new AbortController().signal) {
  const stderr = collector()
  const stdout = new Writable()
  stdout.write = () => {
    throw thrown
  }
  const io = { stdin: Readable.from([]), stdout, stderr: stderr.stream, signal }
  return { code: await main(['status', RUN], io), stderr: stderr.text() }
}

describe('main', () => {
  it.each([
    [new ConfigError('no such option'), 2],
    [new InputError('no such file'), 65],
    [new FatalError('the disk is full'), 1],
    [new ShardError('the host is away'), 75],
  ])('turns %s into its message and exit code %i', async (error, code) => {
    expect(await statusThatThrows(error)).toEqual({
      code,
      stderr: `groundmill: ${error.message}\n`,
    })
  })

  it('asks for a report of whatever else is thrown, with its stack', async () => {
    const bug = await statusThatThrows(new TypeError('x is not a function'))
    const odd = await statusThatThrows('a string')

    expect(bug.code).toBe(1)
    expect(bug.stderr).toMatch(
      /^groundmill: unexpected error, please report it: TypeError: x is not a function\n +at /,
    )
    expect(odd).toEqual({
      code: 1,
      stderr: 'groundmill: unexpected error, please report it: a string\n',
    })
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends with the code of %s, whatever was thrown on the way', async (name, code) => {
    const signal = AbortSignal.abort(new Interrupted(name))

    const ended = await statusThatThrows(new TypeError('late'), signal)

    expect(ended).toEqual({
      code,
      stderr: `groundmill: stopped by ${name}; repeat the command to resume\n`,
    })
  })

  it('prints its version and its help', async () => {
    expect(await runMain('--version')).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
    expect(await runMain('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Usage: groundmill') as string,
    })
  })

  it.each([[['runn']], [['run']], [['status', RUN, '--hosts=0']], [['status', RUN, 'more']]])(
    'refuses %j as wrong usage',
    async (argv) => {
      const { code, stdout, stderr } = await runMain(...argv)

      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^error: /)
    },
  )
})
