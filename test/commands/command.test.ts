import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import { collect, logOption, positiveInt } from '../../src/commands/command.ts'
import { runMain } from '../helpers/main.ts'

describe('positiveInt', () => {
  it.each([
    ['1', 1],
    ['200', 200],
    ['1e3', 1000],
  ])('takes %s', (text, value) => {
    expect(positiveInt(text)).toBe(value)
  })

  it.each(['0', '-1', '1.5', 'ten', '', ' ', '9007199254740992', 'Infinity'])(
    'refuses %j',
    (text) => {
      expect(() => positiveInt(text)).toThrow(InvalidArgumentError)
      expect(() => positiveInt(text)).toThrow('expected a whole number from 1')
    },
  )

  it('says which option is wrong, with exit code 2', async () => {
    const { code, stdout, stderr } = await runMain('doctor', '--rows', 'ten')

    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain("option '--rows <n>' argument 'ten' is invalid")
    expect(stderr).toContain('expected a whole number from 1')
  })
})

describe('collect', () => {
  it('keeps the order of what was repeated, and the earlier list as it is', () => {
    const earlier = ['a=1']

    expect(collect('b=2', earlier)).toEqual(['a=1', 'b=2'])
    expect(earlier).toEqual(['a=1'])
  })
})

describe('logOption', () => {
  const parse = (...argv: string[]) =>
    new Command()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .addOption(logOption)
      .parse(argv, { from: 'user' })
      .opts()

  it('is auto, bar or json', () => {
    expect(parse()).toEqual({ log: 'auto' })
    expect(parse('--log', 'json')).toEqual({ log: 'json' })
    expect(() => parse('--log', 'none')).toThrow(CommanderError)
    expect(() => parse('--log', 'none')).toThrow('Allowed choices are auto, bar, json')
  })
})
