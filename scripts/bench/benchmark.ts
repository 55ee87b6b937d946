import type { ParseArgsConfig } from 'node:util'

/** What a file of this folder exports as `benchmark`. */
export interface Benchmark<Result = unknown> {
  /** Options of its own, beside `--json`. */
  readonly options?: NonNullable<ParseArgsConfig['options']>
  run(options: Readonly<Record<string, unknown>>): Promise<Result>
  /** The result as lines for a person. */
  format(result: Result): string
}
