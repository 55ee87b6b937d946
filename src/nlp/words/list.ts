/** Splits a list of words written as running text; "|" stands for a space inside an entry. */
export function list(text: string): readonly string[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll('|', ' '))
}

/** The same as a set to look words up in. */
export function setOf(text: string): ReadonlySet<string> {
  return new Set(list(text))
}
