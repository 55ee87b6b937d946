/** Splits a list of words written as running text; "|" stands for a space inside an entry. */
export function list(text: string): readonly string[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll('|', ' '))
}
