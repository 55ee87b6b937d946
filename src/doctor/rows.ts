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

/** What became of rows, by code and, where sites refuse or are silent, by host. */
/** Nothing is lost yet. */
export function createLosses() {
  const byCode = new Map<ReasonCode, string[]>()
  const unreachable = new Set<string>()
  const refusingHosts = new Set<string>()
  let refusedRows = 0
  return {
    byCode: byCode as ReadonlyMap<ReasonCode, readonly string[]>,
    add: (code: ReasonCode, detail: string, host?: string) => {
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
  readonly losses: Losses
  readonly log: AnswerLog
  /** Rows that are not fetched by then are late. */
  readonly limitMs: number
}

/** Phrases, fetch and check, as a run does them; the teacher is left out. */
export async function tryRows(
  config: Config,
  rows: readonly SourceRow[],
  { losses, log, limitMs }: TryOptions,
  signal: AbortSignal,
): Promise<Tried> {
  const extractor = createPhraseExtractor(config, { threads: 1 })
  // Nothing is recorded here, so any key will do.
  const hooks = await loadHooks(config.fetch, createUrlDigest(randomUrlKey()))
  // What may pass later is not waited for.
  const fetch = { ...config.fetch, retries: 0, maxRetryAfterMs: 0 }
  const images = createImageLoader(fetch, config.image, {
    hooks,
    deps: { onAnswer: log.onAnswer },
  })
  try {
    const results = await extractor.extract(rows, signal)
    const phrased: SourceRow[] = []
    for (const [index, row] of rows.entries()) {
      const result = results[index]!
      if ('code' in result) losses.add(result.code, result.detail)
      else phrased.push({ ...row, caption: result.caption })
    }
    const deadline = startDeadline(limitMs, signal)
    try {
      const loaded = loadRows(images, phrased, config.run.imagesAhead, deadline.signal)
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

function loadRows(
  images: ImageLoader,
  rows: readonly SourceRow[],
  ahead: number,
  signal: AbortSignal,
): AsyncIterable<Loaded> {
  return mapOrdered(rows, ahead, async (row) => {
    const begun = performance.now()
    try {
      await images.load(row, signal)
      return { isUrl: row.image.kind === 'url', seconds: (performance.now() - begun) / 1000 }
    } catch (error) {
      if (error instanceof SampleError) return error
      if (signal.aborted) return 'late' as const
      throw error
    }
  })
}

async function countRows(loaded: AsyncIterable<Loaded>, losses: Losses): Promise<Tried> {
  let [kept, late, fetched, seconds] = [0, 0, 0, 0]
  for await (const row of loaded) {
    if (row === 'late') late++
    else if (row instanceof SampleError) losses.add(row.code, row.message, row.context.host)
    else {
      kept++
      if (!row.isUrl) continue
      fetched++
      seconds += row.seconds
    }
  }
  return { kept, late, secondsPerImage: fetched === 0 ? undefined : seconds / fetched }
}

/** @param count rows in all, unreadable ones included */
export function judgeRows(
  count: number,
  { kept, late }: Tried,
  codes: ReadonlyMap<ReasonCode, readonly string[]>,
): Check {
  const losses = [...codes].sort(([, a], [, b]) => b.length - a.length)
  const list = losses.map(([code, details]) => `${code} ${details.length} (${details[0]})`)
  const missed = late === 0 ? [] : [`${late} were not done in time`]
  const detail = [`${kept} of ${count} would reach the teacher`, ...list, ...missed].join('; ')
  const advice = [
    ...losses.slice(0, 3).map(([code]) => adviceFor(code)),
    ...(late === 0 ? [] : ['the network here is slow, or the hosts are: see egress and resolver']),
  ].join('; ')
  if (kept === 0) return { check: 'rows', status: 'fail', detail, advice }
  if (kept < count / 2) return { check: 'rows', status: 'warn', detail, advice }
  return { check: 'rows', status: 'ok', detail }
}

function adviceFor(code: ReasonCode): string {
  if (code.startsWith('dns_')) {
    return code === 'dns_nxdomain'
      ? 'dns_nxdomain: these sites are gone, or there is no way out to the internet'
      : `${code}: use a caching resolver on this machine (fetch.dnsServers)`
  }
  if (code.startsWith('connect_')) return `${code}: check the firewall and proxies of this machine`
  if (code === 'deadline' || code === 'stalled') {
    return `${code}: lower fetch.concurrency or raise fetch.deadlineMs`
  }
  if (code === 'addr_blocked') {
    return 'addr_blocked: the URLs name private addresses; fetch.allowAddresses allows your own'
  }
  if (code.startsWith('file_'))
    return `${code}: check source.imageRoot and the paths in the dataset`
  if (code === 'phrases_none') return 'phrases_none: the captions name nothing that can be seen'
  if (code.startsWith('robots_') || code === 'optout_header') {
    return `${code}: the sites refuse; that is to be respected`
  }
  return retryOf(code) === 'never'
    ? `${code}: such rows stay lost`
    : `${code}: may pass; retry-failed tries again`
}
