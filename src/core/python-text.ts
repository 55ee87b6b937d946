// How Python, in which the readers of our files are written, sees text.

/** White space of str.strip(): four control characters and U+0085 more than JavaScript's, without U+FEFF. */
const SPACE = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`
const LEADING = new RegExp(`^${SPACE}+`, 'u')
const TRAILING = new RegExp(`${SPACE}+$`, 'u')

/** UTF-16 units that str.strip() takes from the front. */
export function leadingSpace(text: string): number {
  return LEADING.exec(text)?.[0].length ?? 0
}

/** str.strip() */
export function pythonStrip(text: string): string {
  return text.replace(LEADING, '').replace(TRAILING, '')
}

/** The one character whose str.lower() has another length, in code points. */
export const GROWS_IN_LOWER_CASE = 'İ'
