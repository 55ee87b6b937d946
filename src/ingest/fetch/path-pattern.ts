// Path patterns of robots.txt (RFC 9309, 2.2.2 and 2.2.3), also used by tdmrep.json: a prefix, where
// "*" stands for anything and a final "$" for the end. Linear scan, no regular expression: the
// patterns are a stranger's.

/** Percent-encodes what is not ASCII and decodes what need not be encoded, so that spellings compare. */
export function normalisePath(path: string): string {
  const encoded = path
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[^\u0021-\u007e]+/gu, (text) => encodeURIComponent(text))
  return encoded.replace(/%[0-9a-fA-F]{2}/g, (hex) => {
    const character = String.fromCharCode(Number.parseInt(hex.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : hex.toUpperCase()
  })
}

/** @param pattern @param path both normalised; the path with its query */
export function matchesPath(pattern: string, path: string): boolean {
  const anchored = pattern.endsWith('$')
  const parts = (anchored ? pattern.slice(0, -1) : pattern).split('*')
  const first = parts[0] ?? ''
  if (!path.startsWith(first)) return false
  if (parts.length === 1) return !anchored || path.length === first.length

  // Leftmost placing of every middle part leaves the most room for the next ones.
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = path.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  const last = parts.at(-1) ?? ''
  if (anchored) return path.length - last.length >= at && path.endsWith(last)
  return path.indexOf(last, at) >= 0
}
