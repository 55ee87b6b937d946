// Counts of right, wrong and missed phrases per caption against gold, as gold/score-phrases.mjs counts
// them under "nodet" with --of either: the same span after leading determiners are taken off both sides.
// Per caption, because confidence intervals draw captions. The benchmark checks both against each other.

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { CharSpan } from '../src/core/types.ts'
import { createRandom } from './program.ts'

const goldLineSchema = z.object({
  id: z.string(),
  caption: z.string(),
  phrases: z.array(
    z.object({ start: z.int(), end: z.int(), types: z.array(z.string()).default(() => []) }),
  ),
  merged: z
    .array(z.object({ start: z.int(), end: z.int(), parts: z.array(z.int()) }))
    .default(() => []),
})

export type GoldLine = z.output<typeof goldLineSchema>

export function readGoldLines(file: string): readonly GoldLine[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => goldLineSchema.parse(JSON.parse(line)))
}

/** Of one caption, or summed. */
export interface Counts {
  readonly right: number
  readonly spurious: number
  readonly missed: number
}

const LEADING =
  /^(?:(?:the|an?|this|that|these|those|his|her|its|it's|their|my|our|your|some|any|all|both|each|every|another)\s+)+/i

export function countPhrases(gold: GoldLine, predicted: readonly CharSpan[]): Counts {
  const { caption } = gold
  const keyOf = ({ start, end }: CharSpan) => {
    const leading = LEADING.exec(caption.slice(start, end))?.[0].length ?? 0
    return `${start + leading < end ? start + leading : start},${end}`
  }
  const lastWord = ({ start, end }: CharSpan) =>
    /[\p{L}\p{N}][\p{L}\p{N}'’-]*(?=[^\p{L}\p{N}]*$)/u.exec(
      caption.slice(start, end).toLowerCase(),
    )?.[0]
  const found = new Map(predicted.map((span) => [`${span.start},${span.end}`, span]))
  const keys = new Set([...found.values()].map(keyOf))

  // "X of Y": the whole where the prediction has the whole, else the parts.
  const replaced = new Set<number>()
  const wholes: CharSpan[] = []
  for (const whole of [...gold.merged].sort((a, b) => b.parts.length - a.parts.length)) {
    if (whole.parts.some((part) => replaced.has(part)) || !keys.has(keyOf(whole))) continue
    for (const part of whole.parts) replaced.add(part)
    wholes.push(whole)
  }
  const isOptional = ({ types }: GoldLine['phrases'][number]) => types.includes('notvisual')
  const open = gold.phrases.filter((_, index) => !replaced.has(index))
  const needed = [...open.filter((one) => !isOptional(one)), ...wholes]

  const free = [...found.values()]
  let right = 0
  for (const span of needed) {
    const at = free.findIndex((one) => keyOf(one) === keyOf(span))
    if (at < 0) continue
    free.splice(at, 1)
    right++
  }
  const optional = open.filter(isOptional)
  const spurious = free.filter(
    (span) =>
      !optional.some(
        (one) =>
          keyOf(one) === keyOf(span) ||
          (Math.min(one.end, span.end) > Math.max(one.start, span.start) &&
            lastWord(one) === lastWord(span)),
      ),
  ).length
  return { right, spurious, missed: needed.length - right }
}

export function sumCounts(counts: readonly Counts[]): Counts {
  const sum = (key: keyof Counts) => counts.reduce((total, one) => total + one[key], 0)
  return { right: sum('right'), spurious: sum('spurious'), missed: sum('missed') }
}

/** [0, 1]; 0 without a right phrase. */
export function f1Of({ right, spurious, missed }: Counts): number {
  return right === 0 ? 0 : (2 * right) / (2 * right + spurious + missed)
}

/** [0, 1]; 0 without a right phrase. */
export function recallOf({ right, missed }: Counts): number {
  return right === 0 ? 0 : right / (right + missed)
}

/** The middle 95 % of a statistic over samples of captions drawn with replacement; same draw every time. */
export function bootstrap(
  counts: readonly Counts[],
  statistic: (sum: Counts) => number,
  draws = 1_000,
): readonly [low: number, high: number] {
  const random = createRandom()
  const values = Array.from({ length: draws }, () =>
    statistic(sumCounts(counts.map(() => counts[Math.floor(random() * counts.length)]!))),
  ).sort((a, b) => a - b)
  return [values[Math.floor(draws * 0.025)]!, values[Math.ceil(draws * 0.975) - 1]!]
}
