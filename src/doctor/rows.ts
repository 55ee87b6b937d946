// The first rows of a dataset, tried as a run does, and what would become of them.

import type { Config } from '../config.ts'
import { SampleError } from '../core/errors.ts'
import { retryOf, type ReasonCode } from '../core/reasons.ts'
import type { SourceRow } from '../core/types.ts'
import { loadHooks } from '../ingest/fetch/hooks.ts'
import { createImageLoader, type ImageLoader } from '../ingest/image/load.ts'
import { createPhraseExtractor } from '../nlp/extractor.ts'
import { createUrlDigest, randomUrlKey } from '../store/url-digest.ts'
import { startDeadline } from '../system/deadline.ts'
import { mapOrdered } from '../system/map-ordered.ts'
import type { AnswerLog } from './answers.ts'
import type { Check } from './check.ts'

/** What became of rows, by code and, where sites refuse or are silent, by host; nothing is lost yet. */
export function createLosses() {
  const byCode = new Map<ReasonCode, string[]>()
  const unreachable = new Set<string>()
  const refusingHosts = new Set<string>()
  let refusedRows = 0
  return {
    byCode: byCode as ReadonlyMap<ReasonCode, readonly string[]>,
    add: ({ code, detail, host }: Loss) => {
      byCode.set(code, [...(byCode.get(code) ?? []), detail])
      if (host === undefined) return
      if (code === 'robots_unreachable') unreachable.add(host)
      if (code !== 'robots_disallowed') return
      refusingHosts.add(host)
      refusedRows++
    },
    robots: () => ({ unreachable, refusingHosts, refusedRows }),
  }
}
interface Loss {
  readonly code: ReasonCode
  readonly detail: string
  readonly host?: string | undefined
}

/** Rows that would not be labelled. */
export type Losses = ReturnType<typeof createLosses>

/** What came of the rows. */
export interface Tried {
  /** Rows that would reach the teacher. */
  readonly kept: number
  /** Rows that there was no time for. */
  readonly late: number
  /** Of a row with a URL, from its first request to its pixels; undefined: no image was had. */
  readonly secondsPerImage: number | undefined
}

/** What `tryRows` tells its results, and how long it may fetch. */
export interface TryOptions {
  readonly config: Config
  readonly losses: Losses
  readonly log: AnswerLog
  /** Rows that are not fetched by then are late. */
  readonly limitMs: number
  readonly signal: AbortSignal
}

/** Phrases, fetch and check, as a run does them; the teacher is left out. */
export async function tryRows(
  rows: readonly SourceRow[],
  { config, losses, log, limitMs, signal }: TryOptions,
): Promise<Tried> {
  const extractor = createPhraseExtractor(config, { threads: 1 })
  // Nothing is recorded here, so any key will do.
  const hooks = await loadHooks(config.fetch, createUrlDigest(randomUrlKey()))
  // What may pass later is not waited for.
  const fetch = { ...config.fetch, retries: 0, maxRetryAfterMs: 0 }
  const { onAnswer } = log
  const images = createImageLoader({ ...config, fetch }, { hooks, deps: { onAnswer } })
  try {
    const results = await extractor.extract(rows, signal)
    const phrased: SourceRow[] = []
    for (const [index, row] of rows.entries()) {
      const result = results[index]!
      if ('code' in result) losses.add(result)
      else phrased.push({ ...row, caption: result.caption })
    }
    const deadline = startDeadline(limitMs, signal)
    try {
      const loaded = mapOrdered(phrased, config.run.imagesAhead, (row) =>
        loadRow(row, { images, signal: deadline.signal }),
      )
      const tried = await countRows(loaded, losses)
      signal.throwIfAborted()
      return tried
    } finally {
      deadline.end()
    }
  } finally {
    await Promise.all([extractor.close(), images.close()])
  }
}

/** What became of a row: seconds to its pixels, why there are none, or that there was no time. */
type Loaded = { readonly isUrl: boolean; readonly seconds: number } | SampleError | 'late'

async function loadRow(
  row: SourceRow,
  { images, signal }: { readonly images: ImageLoader; readonly signal: AbortSignal },
): Promise<Loaded> {
  const begun = performance.now()
  try {
    await images.load(row, signal)
    return { isUrl: row.image.kind === 'url', seconds: (performance.now() - begun) / 1000 }
  } catch (error) {
    if (error instanceof SampleError) return error
    if (signal.aborted) return 'late'
    throw error
  }
}

async function countRows(loaded: AsyncIterable<Loaded>, losses: Losses): Promise<Tried> {
  let [kept, late, fetched, seconds] = [0, 0, 0, 0]
  for await (const row of loaded) {
    if (row === 'late') late++
    else if (row instanceof SampleError) {
      losses.add({ code: row.code, detail: row.message, host: row.context.host })
    } else {
      kept++
      if (!row.isUrl) continue
      fetched++
      seconds += row.seconds
    }
  }
  return { kept, late, secondsPerImage: fetched === 0 ? undefined : seconds / fetched }
}

/** Whether rows are kept; `count` are all, unreadable ones included. */
export function judgeRows(
  { count, kept, late }: Omit<Tried, 'secondsPerImage'> & { readonly count: number },
  codes: Losses['byCode'],
): Check {
  const losses = [...codes].sort(([, a], [, b]) => b.length - a.length)
  const list = losses.map(([code, details]) => `${code} ${details.length} (${details[0]})`)
  const missed = late === 0 ? [] : [`${late} were not done in time`]
  const detail = [`${kept} of ${count} would reach the teacher`, ...list, ...missed].join('; ')
  const advice = [
    ...losses.slice(0, 3).map(([code]) => adviceFor(code)),
    ...(late === 0 ? [] : ['the network here is slow, or the hosts are: see egress and resolver']),
  ].join('; ')
  const check = 'rows'
  if (kept >= count / 2 && kept > 0) return { check, status: 'ok', detail }
  return { check, status: kept === 0 ? 'fail' : 'warn', detail, advice }
}

/** What to do, by code; the first that fits. */
const ADVICE: readonly (readonly [codes: RegExp, advice: string])[] = [
  [/^dns_nxdomain$/, 'these sites are gone, or there is no way out to the internet'],
  [/^dns_/, 'use a caching resolver on this machine (fetch.dnsServers)'],
  [/^connect_/, 'check the firewall and proxies of this machine'],
  [/^(deadline|stalled)$/, 'lower fetch.concurrency or raise fetch.deadlineMs'],
  [/^addr_blocked$/, 'the URLs name private addresses; fetch.allowAddresses allows your own'],
  [/^file_/, 'check source.imageRoot and the paths in the dataset'],
  [/^phrases_none$/, 'the captions name nothing that can be seen'],
  [/^(robots_|optout_header$)/, 'the sites refuse; that is to be respected'],
]

function adviceFor(code: ReasonCode): string {
  const [, known] = ADVICE.find(([codes]) => codes.test(code)) ?? []
  if (known !== undefined) return `${code}: ${known}`
  const isLost = retryOf(code) === 'never'
  return `${code}: ${isLost ? 'such rows stay lost' : 'may pass; retry-failed tries again'}`
}
