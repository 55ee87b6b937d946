// What a validation has to say: one finding per kind of trouble, with a few of the places where it is.

/**
 * What becomes of the data: the loader stops (`crash`), trains on something else than the file means
 * (`wrong`), may do so by chance (`risk`), leaves something out (`drop`), or copes (`none`).
 */
export type Effect = keyof typeof LEVELS

const LEVELS = {
  crash: 'error',
  wrong: 'error',
  risk: 'warning',
  drop: 'warning',
  none: 'warning',
} as const

/** What a loader does with one kind of trouble. */
export interface Rule {
  readonly effect: Effect
  /** What the loader does, in the present tense. */
  readonly loader: string
  /** What to do about it. */
  readonly advice: string
}

/** Where trouble is. */
export interface Place {
  /** As given, or relative to the folder that was given. */
  readonly file: string
  /** From 1; of JSON Lines only. */
  readonly line?: number
  /** Within the line or file, e.g. "regions[2]" or "annotation 17". */
  readonly record?: string
  /** The value at fault. */
  readonly detail: string
}

/** One kind of trouble and where it was met. */
export interface FileFinding<Code extends string = string> extends Rule {
  readonly code: Code
  /** `error` for `crash` and `wrong`. */
  readonly level: 'error' | 'warning'
  readonly count: number
  /** The first ones. */
  readonly places: readonly Place[]
}

const ruleOf = (effect: Effect) => (loader: string, advice: string) => ({ effect, loader, advice })

/** Make rules of one effect. */
export const [crash, wrong, risk, drop, none] = [
  ruleOf('crash'),
  ruleOf('wrong'),
  ruleOf('risk'),
  ruleOf('drop'),
  ruleOf('none'),
]

const MAX_PLACES = 5
const MAX_DETAIL = 160

/** Collects findings in bounded memory: a count and a few places per code. */
export class FileFindings<Code extends string> {
  readonly #rules: Readonly<Record<Code, Rule>>
  readonly #found = new Map<Code, { count: number; places: Place[] }>()

  constructor(rules: Readonly<Record<Code, Rule>>) {
    this.#rules = rules
  }

  /** Counts one more of a kind; the first few places are kept. */
  add(code: Code, { detail, ...place }: Place): void {
    const short = detail.length > MAX_DETAIL ? `${detail.slice(0, MAX_DETAIL - 1)}…` : detail
    const found = this.#found.get(code)
    if (found === undefined) {
      this.#found.set(code, { count: 1, places: [{ ...place, detail: short }] })
      return
    }
    found.count++
    if (found.places.length < MAX_PLACES) found.places.push({ ...place, detail: short })
  }

  /** Errors before warnings, else in the order in which they were first found. */
  list(): FileFinding<Code>[] {
    const all = [...this.#found].map(([code, found]): FileFinding<Code> => {
      const rule = this.#rules[code]
      return { code, level: LEVELS[rule.effect], ...rule, ...found }
    })
    return all.sort((a, b) => a.level.localeCompare(b.level))
  }
}

/** A file, a line or a record of which something may be wrong. */
export class Spot<Code extends string> {
  readonly #findings: FileFindings<Code>
  readonly #place: Omit<Place, 'detail'>

  constructor(findings: FileFindings<Code>, place: Omit<Place, 'detail'>) {
    this.#findings = findings
    this.#place = place
  }

  /** Takes what is wrong here. */
  say(code: Code, detail: string): void {
    this.#findings.add(code, { ...this.#place, detail })
  }

  /** A narrower place, e.g. "regions[2]". */
  within(record: string): Spot<Code> {
    const { record: outer = '' } = this.#place
    return new Spot(this.#findings, { ...this.#place, record: outer + record })
  }
}

/** A value as JSON, for details. */
export function show(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return JSON.stringify(value) ?? 'nothing'
}
