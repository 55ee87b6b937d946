// Refusals that come with the image itself, in response headers. Pure.

import { parsePreferences, PRODUCT_TOKEN } from './robots.ts'

/** Which headers refuse an image, from `fetch.optOut`. */
export interface OptOutRules {
  /** Directives of X-Robots-Tag, lower case. */
  readonly xRobotsTag: readonly string[]
  readonly tdmReservation: boolean
  /** Categories of Content-Usage, lower case. */
  readonly contentUsage: readonly string[]
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** The header and directive that refuse the use of the response, e.g. "x-robots-tag: noai". */
export function headerRefusal(headers: Headers, rules: OptOutRules): string | undefined {
  for (const value of valuesOf(headers, 'x-robots-tag')) {
    const directive = xRobotsDirectives(value).find((name) => rules.xRobotsTag.includes(name))
    if (directive !== undefined) return `x-robots-tag: ${directive}`
  }
  if (rules.tdmReservation) {
    const reserved = valuesOf(headers, 'tdm-reservation').some((value) =>
      value.split(',').some((item) => /^\s*"?1"?\s*(;|$)/.test(item)),
    )
    if (reserved) return 'tdm-reservation: 1'
  }
  // A structured dictionary may be spread over several lines; the last value of a key holds.
  const usage = parsePreferences(valuesOf(headers, 'content-usage').join(','))
  const category = rules.contentUsage.find((key) => usage.get(key) === 'n')
  return category === undefined ? undefined : `content-usage: ${category}=n`
}

/** The opt-out headers as they came, for the record of a stored image; at most 500 characters. */
export function seenDirectives(headers: Headers): string[] {
  return ['x-robots-tag', 'tdm-reservation', 'tdm-policy', 'content-usage'].flatMap((name) =>
    valuesOf(headers, name).map((value) => `${name}: ${value}`.slice(0, 500)),
  )
}

function valuesOf(headers: Headers, name: string): readonly string[] {
  const value = headers[name]
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

// Directives that have a value after a colon; the text before the colon is then no robot's name.
const VALUED = /^(unavailable_after|max-snippet|max-image-preview|max-video-preview)$/

/**
 * The directives of one header line that address everybody or us. The list is split at commas
 * first; "name:" before a directive names the robot that it and the following ones are for, unless
 * the name is a directive itself ("max-image-preview:large", a date with its colons).
 */
function xRobotsDirectives(value: string): string[] {
  const found: string[] = []
  let ours = true
  for (const item of value.toLowerCase().split(',')) {
    let directive = item.trim()
    const [, name, rest = ''] = /^([a-z_*][\w*.-]*)\s*:(.*)$/.exec(directive) ?? []
    if (name !== undefined && !VALUED.test(name)) {
      ours = name === '*' || name === PRODUCT_TOKEN
      directive = rest.trim()
    }
    const bare = directive.replace(/\s*:.*$/, '')
    if (ours && bare !== '') found.push(bare)
  }
  return found
}
