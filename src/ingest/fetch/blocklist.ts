// Lists of what is never fetched or kept. One entry a line; empty lines and those that begin with "#"
// say nothing. The lists are the user's: none comes with this program.

import { createHash } from 'node:crypto'
import { ConfigError } from '../../core/errors.ts'

/** URLs that are never asked for, and the name of their file. */
export type UrlList = ReturnType<typeof parseUrlList>

/** Images that are never kept, by the hash of their bytes. */
export type HashList = ReturnType<typeof parseHashList>

function entriesOf(text: string) {
  return text
    .split('\n')
    .map((entry, index) => ({ line: index + 1, entry: entry.trim() }))
    .filter(({ entry }) => entry !== '' && !entry.startsWith('#'))
}

/** Without the dot that may end a name. */
function undotted(host: string): string {
  return host.replace(/\.(?=:|$)/, '')
}

/**
 * An entry is a host name, which stands for itself and all names below it, or the beginning of a URL
 * (http and https are the same). Both are compared as browsers write them.
 *
 * @throws ConfigError naming the line that is neither
 */
export function parseUrlList(name: string, text: string) {
  const hosts = new Set<string>()
  const prefixes = new Map<string, string[]>()
  for (const { line, entry } of entriesOf(text)) {
    const isUrl = /^https?:\/\//i.test(entry)
    const asUrl = isUrl ? entry : `http://${entry}/`
    const url = URL.canParse(asUrl) ? new URL(asUrl) : undefined
    const host = undotted(url?.host ?? '')
    // What no host is called, such as ".example.com" and "*.example.com", would match nothing, unnoticed.
    const isNoName = /\*|^\.|\.(?:\.|$)/.test(host)
    if (url === undefined || isNoName || (!isUrl && url.href !== `http://${url.hostname}/`)) {
      throw new ConfigError(
        `${name}, line ${line}: ${JSON.stringify(entry)} is neither a host name nor the beginning of a URL`,
      )
    }
    if (isUrl) {
      const known = prefixes.get(host) ?? []
      prefixes.set(host, [...known, url.pathname + url.search])
    } else {
      hosts.add(host)
    }
  }
  return {
    name,
    has: (url: URL): boolean => {
      const path = url.pathname + url.search
      const known = prefixes.get(undotted(url.host))
      if (known?.some((prefix) => path.startsWith(prefix)) === true) return true
      for (let host = undotted(url.hostname); host !== '';) {
        if (hosts.has(host)) return true
        const dot = host.indexOf('.')
        host = dot < 0 ? '' : host.slice(dot + 1)
      }
      return false
    },
  }
}

const ALGORITHMS: ReadonlyMap<number, string> = new Map([
  [32, 'md5'],
  [40, 'sha1'],
  [64, 'sha256'],
])

/**
 * An entry is a hex md5, sha1 or sha256 of an image's bytes as they are received.
 *
 * @throws ConfigError naming the line that is none
 */
export function parseHashList(name: string, text: string) {
  const hashes = new Set<string>()
  const algorithms = new Set<string>()
  for (const { line, entry } of entriesOf(text)) {
    const algorithm = /^[0-9a-f]+$/i.test(entry) ? ALGORITHMS.get(entry.length) : undefined
    if (algorithm === undefined) {
      throw new ConfigError(
        `${name}, line ${line}: ${JSON.stringify(entry)} is no hex md5, sha1 or sha256`,
      )
    }
    algorithms.add(algorithm)
    hashes.add(entry.toLowerCase())
  }
  return {
    name,
    has: (bytes: Uint8Array): boolean =>
      [...algorithms].some((algorithm) =>
        hashes.has(createHash(algorithm).update(bytes).digest('hex')),
      ),
  }
}
