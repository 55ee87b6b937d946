// `--format` and `--dialect`, for the commands that have them.

import { Option } from 'commander'
import { ConfigError } from '../core/errors.ts'

/** What help and errors need of a format. */
interface NamedFormat {
  readonly name: string
  readonly description: string
  readonly dialects: readonly string[]
}

/** @throws ConfigError that lists those there are, and for a dialect that the format has not */
export function formatNamed<Format extends NamedFormat>(
  { format: name, dialect }: { readonly format: string; readonly dialect?: string | undefined },
  formats: readonly Format[],
): Format {
  const format = formats.find((known) => known.name === name)
  if (format === undefined) {
    throw new ConfigError(`--format ${name} is unknown; there are ${namesOf(formats)}`)
  }
  if (dialect === undefined || format.dialects.includes(dialect)) return format
  const owners = formats.filter(({ dialects }) => dialects.includes(dialect))
  throw format.dialects.length === 0
    ? foreignOption('dialect', format, owners)
    : new ConfigError(`--dialect ${dialect} is of --format ${namesOf(owners)}, not of ${name}`)
}

/** For --help. */
export function describeFormats(formats: readonly NamedFormat[]): string {
  const lines = formats.map(({ name, description }) => `  ${name.padEnd(12)} ${description}\n`)
  return `\nFormats:\n${lines.join('')}`
}

/** @param fallback what holds if the option is not given, besides the format's first dialect */
export function dialectOption(formats: readonly NamedFormat[], fallback = ''): Option {
  const some = formats.filter(({ dialects }) => dialects.length > 0)
  const defaults = some.map(({ dialects }) => dialects[0]).join(', ')
  const help = `loader of ${namesOf(some)} files; default: ${fallback}${defaults}`
  const choices = new Set(some.flatMap(({ dialects }) => dialects))
  return new Option('--dialect <dialect>', help).choices([...choices])
}

/** Of an option that other formats have. */
export function foreignOption(
  option: string,
  format: NamedFormat,
  owners: readonly NamedFormat[],
): ConfigError {
  return new ConfigError(
    `--${option} has a meaning with --format ${namesOf(owners)} only, not with ${format.name}`,
  )
}

function namesOf(formats: readonly NamedFormat[]): string {
  return formats.map(({ name }) => name).join(', ')
}
