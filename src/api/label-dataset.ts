// Labelling for programs: a run that tells a callback how it goes in place of a terminal.

import type { Config } from '../config.ts'
import type { Progress } from '../run/progress.ts'
import { runDataset } from '../run/run.ts'
import type { RunSummary } from '../run/summary.ts'

/** How a run goes. */
export type ProgressEvent =
  /** Rows that have their end, of those planned; those of earlier processes count. */
  | { readonly kind: 'rows'; readonly done: number; readonly total: number }
  /** A line for people; a warning asks for attention (a shard that failed). */
  | { readonly kind: 'note' | 'warning'; readonly message: string }

/** How `labelDataset` is called. */
export interface LabelOptions {
  /** Called for every row; must return at once. */
  readonly onProgress?: (event: ProgressEvent) => void
  /** Stops in good order: what is nearly done is finished, the rest is journaled for the next call. */
  readonly signal?: AbortSignal
  /** Compare the whole bytes of all local inputs with those of the plan when a run goes on. */
  readonly verifyInputs?: boolean
}

/**
 * Labels what is not labelled yet; the same call on the same folder resumes, and several processes may
 * work on one folder. Shards that fail are left for the next call: look at `isComplete`.
 *
 * @param runDir the run folder, made if it is not there
 * @returns totals over all committed shards, whoever made them
 * @throws ConfigError before any work, e.g. if the folder belongs to another run; InputError if the dataset
 *   cannot be read; FatalError; the signal's reason
 */
export async function labelDataset(
  config: Config,
  runDir: string,
  { onProgress = () => undefined, signal, verifyInputs = false }: LabelOptions = {},
): Promise<RunSummary> {
  const { signal: never } = new AbortController()
  return runDataset(config, runDir, reportTo(onProgress), signal ?? never, { verifyInputs })
}

function reportTo(onProgress: (event: ProgressEvent) => void): Progress {
  let [done, total] = [0, 0]
  const rows = () => {
    onProgress({ kind: 'rows', done, total })
  }
  return {
    begin(totalRows, doneRows) {
      ;[done, total] = [doneRows, totalRows]
      rows()
    },
    advance(count = 1) {
      done += count
      rows()
    },
    note: (message) => {
      onProgress({ kind: 'note', message })
    },
    warn: (message) => {
      onProgress({ kind: 'warning', message })
    },
    end: () => undefined,
  }
}
