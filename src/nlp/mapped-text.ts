// A text that remembers which part of the source each of its characters came from, so that spans
// found after cleaning can be given in the caption as it was read.

import type { CharSpan } from '../core/types.ts'

interface Ranges {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** Immutable; positions are UTF-16 units. */
export class MappedText {
  readonly text: string
  /** Source range of each UTF-16 unit; absent while the text is the source. */
  readonly #source: Ranges | undefined

  constructor(text: string, source?: Ranges) {
    this.text = text
    this.#source = source
  }

  /**
   * Replaces every match. Each unit of a replacement stands for the whole match.
   *
   * @param pattern global; must not match the empty string
   * @param replacement undefined leaves a match as it is
   */
  replace(
    pattern: RegExp,
    replacement: string | ((match: RegExpExecArray) => string | undefined),
  ): MappedText {
    pattern.lastIndex = 0
    let match = pattern.exec(this.text)
    if (match === null) return this
    const starts: number[] = []
    const ends: number[] = []
    let text = ''
    let copied = 0
    const copyTo = (end: number) => {
      for (let i = copied; i < end; i++) {
        starts.push(this.#startAt(i))
        ends.push(this.#endAt(i))
      }
      text += this.text.slice(copied, end)
      copied = end
    }
    for (; match !== null; match = pattern.exec(this.text)) {
      const inserted = typeof replacement === 'string' ? replacement : replacement(match)
      if (inserted === undefined || inserted === match[0]) continue
      copyTo(match.index)
      copied = match.index + match[0].length
      const start = this.#startAt(match.index)
      const end = this.#endAt(copied - 1)
      for (let i = 0; i < inserted.length; i++) {
        starts.push(start)
        ends.push(end)
      }
      text += inserted
    }
    copyTo(this.text.length)
    return new MappedText(text, { starts, ends })
  }

  /** A non-empty span of this text as the smallest span of the source that covers it. */
  toSource(span: CharSpan): CharSpan {
    return { start: this.#startAt(span.start), end: this.#endAt(span.end - 1) }
  }

  /**
   * A span of the source as a span of this text.
   *
   * @returns undefined where nothing of it is left
   */
  fromSource(span: CharSpan): CharSpan | undefined {
    if (this.#source === undefined) return span
    let start = 0
    while (start < this.text.length && this.#endAt(start) <= span.start) start++
    let end = this.text.length
    while (end > start && this.#startAt(end - 1) >= span.end) end--
    return start < end ? { start, end } : undefined
  }

  #startAt(index: number): number {
    return this.#source === undefined ? index : this.#source.starts[index]!
  }

  #endAt(index: number): number {
    return this.#source === undefined ? index + 1 : this.#source.ends[index]!
  }
}
