// Formats and dialects by their names.

import { ConfigError } from '../core/errors.ts'

interface NamedFormat {
  readonly name: string
  readonly dialects: readonly string[]
}

/** @throws ConfigError that lists those there are */
export function formatNamed<Format extends NamedFormat>(
  { format: name, dialect }: { readonly format: string; readonly dialect?: string | undefined },
  formats: readonly Format[],
): Format {
  const format = formats.find((known) => known.name === name)
  if (format === undefined) {
    const names = formats.map((known) => known.name)
    throw new ConfigError(`format ${name} is unknown; there are ${names.join(', ')}`)
  }
  if (dialect === undefined || format.dialects.includes(dialect)) return format
  const there =
    format.dialects.length === 0 ? 'has no dialects' : `has ${format.dialects.join(', ')}`
  throw new ConfigError(`dialect ${dialect} is unknown; ${name} ${there}`)
}
