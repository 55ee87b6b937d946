// What is wrong here: the machine, the model and the first rows of the dataset, tried without
// labelling. Every finding says what was seen and, unless it is fine, what to do.

import fs from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.ts'
import { messageOf, SampleError } from '../core/errors.ts'
import { retryOf, type ReasonCode } from '../core/reasons.ts'
import type { Shard, SourceRow } from '../core/types.ts'
import { createDnsQuery } from '../ingest/fetch/resolver.ts'
import { isAddress } from '../ingest/fetch/guard.ts'
import { loadHooks } from '../ingest/hooks.ts'
import { createImageLoader } from '../ingest/load-image.ts'
import { openSource } from '../ingest/source.ts'
import { createUrlDigest, randomUrlKey } from '../store/url-digest.ts'
import { createPhraseExtractor } from '../nlp/extractor.ts'
import { describeTeacher, openTeacher } from '../teacher/open-teacher.ts'
import { mapOrdered } from './map-ordered.ts'

export interface Finding {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do about it, in words. */
  readonly advice?: string
}

const MIN_FREE_GB = 5
/** Names that the resolver is asked for. */
const MAX_NAMES = 50
/** Milliseconds for one name, beyond which the resolver holds up a run. */
const SLOW_LOOKUP_MS = 200
/** Released in 2026: a clock before that breaks certificates and Retry-After. */
const OLDEST_NOW = Date.UTC(2026, 0, 1)

/**
 * @param rows of the dataset to try
 * @param folder where the run would be written
 * @returns findings in the order of the checks, as they come
 */
export async function* diagnose(
  config: Config,
  rows: number,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  yield checkNode()
  yield checkClock()
  yield await guarded('disk', () => checkDisk(folder))
  yield await guarded('teacher', () => checkTeacher(config))
  yield* diagnoseDataset(config, rows, signal)
}

function checkNode(): Finding {
  const { node } = process.versions
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const isOld = major < 20 || (major === 20 && minor < 19)
  const detail = `Node ${node}, ${process.platform}-${process.arch}`
  return isOld
    ? { check: 'node', status: 'fail', detail, advice: 'install Node 20.19 or later' }
    : { check: 'node', status: 'ok', detail }
}

function checkClock(): Finding {
  const now = Date.now()
  const detail = new Date(now).toISOString()
  if (now >= OLDEST_NOW) return { check: 'clock', status: 'ok', detail }
  return {
    check: 'clock',
    status: 'fail',
    detail,
    advice: 'set the clock: certificates are judged by it, and so are dates in Retry-After',
  }
}

async function checkDisk(folder: string): Promise<Finding> {
  // The run folder may not be there yet: its first parent that is.
  let place = path.resolve(folder)
  while (!(await exists(place))) place = path.dirname(place)
  const { bavail, bsize } = await fs.statfs(place)
  const free = (bavail * bsize) / 1e9
  const detail = `${free.toFixed(1)} GB free in ${place}`
  if (free >= MIN_FREE_GB) return { check: 'disk', status: 'ok', detail }
  const advice = `images are about 0.1 GB per 1000 rows, twice that while a shard is worked on`
  return { check: 'disk', status: 'warn', detail, advice }
}

async function exists(place: string): Promise<boolean> {
  return fs.stat(place).then(
    () => true,
    () => false,
  )
}

async function checkTeacher({ teacher: options, prompt }: Config): Promise<Finding> {
  const { id, sha256 } = await describeTeacher(options)
  const notes: string[] = []
  const teacher = await openTeacher(options, prompt, (message) => notes.push(message))
  const { provider } = teacher
  await teacher.close()
  const detail = [`${id} (${sha256.slice(0, 12)}) runs on ${provider}`, ...notes].join('; ')
  if (provider !== 'cpu') return { check: 'teacher', status: 'ok', detail }
  const advice = 'a GPU is many times faster; see `groundmill teacher --help` for what is tried'
  return { check: 'teacher', status: options.provider === 'cpu' ? 'ok' : 'warn', detail, advice }
}

async function* diagnoseDataset(
  config: Config,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  if (config.source === undefined) {
    const advice = 'give a config with a source: section to have the dataset tried'
    yield { check: 'dataset', status: 'ok', detail: 'none configured', advice }
    return
  }
  let items
  try {
    const source = await openSource(config.source, signal, config.fetch)
    try {
      const shard = await firstShard(source.plan(limit, signal), limit)
      items = []
      if (shard !== undefined) for await (const item of source.read(shard, signal)) items.push(item)
      const { columns } = source.identity as { readonly columns?: unknown }
      const detail = `${items.length} rows read; columns ${JSON.stringify(columns)}`
      yield items.length > 0
        ? { check: 'dataset', status: 'ok', detail }
        : { check: 'dataset', status: 'fail', detail, advice: 'the source has no rows' }
    } finally {
      await source.close()
    }
  } catch (error) {
    yield { check: 'dataset', status: 'fail', detail: messageOf(error) }
    return
  }
  const readable = items.filter((item): item is SourceRow => !('code' in item))
  const codes = new Map<ReasonCode, string[]>()
  const lose = (code: ReasonCode, detail: string) =>
    codes.set(code, [...(codes.get(code) ?? []), detail])
  for (const item of items) if ('code' in item) lose(item.code, item.detail)

  yield await guarded('resolver', () => checkResolver(config, readable))
  yield await guarded('rows', async () => {
    const kept = await tryRows(config, readable, lose, signal)
    return judgeRows(items.length, kept, codes)
  })
}

async function firstShard(plan: AsyncIterable<Shard>, limit: number): Promise<Shard | undefined> {
  for await (const shard of plan) {
    return { ...shard, end: Math.min(shard.end, shard.start + limit) }
  }
  return undefined
}

async function checkResolver(
  { fetch: options }: Config,
  rows: readonly SourceRow[],
): Promise<Finding> {
  const hosts = rows.flatMap(({ image }) =>
    image.kind === 'url' && URL.canParse(image.url) ? new URL(image.url).hostname : [],
  )
  const names = [...new Set(hosts.filter((host) => !isAddress(host)))].slice(0, MAX_NAMES)
  if (names.length === 0) {
    return { check: 'resolver', status: 'ok', detail: 'no host names in these rows' }
  }
  const query = createDnsQuery(options.dnsServers, options.dnsTimeoutMs)
  const begun = performance.now()
  const results = await Promise.all(
    names.map(async (name) => {
      const answered = await query(name, 4).then(
        () => true,
        // An answer that there is no such name is an answer.
        (error: NodeJS.ErrnoException) => ['ENOTFOUND', 'ENODATA'].includes(error.code ?? ''),
      )
      return { answered, ms: performance.now() - begun }
    }),
  )
  const answered = results.filter((result) => result.answered)
  const perSecond = (1000 * names.length) / (performance.now() - begun)
  const times = answered.map(({ ms }) => ms).sort((a, b) => a - b)
  const median = times[times.length >> 1] ?? Infinity
  const detail =
    `${answered.length} of ${names.length} names answered` +
    (answered.length === 0
      ? ''
      : `, median ${median.toFixed(0)} ms, ${perSecond.toFixed(0)} names/s`)
  if (answered.length === 0) {
    const advice =
      'no DNS server answers: check the network, or name servers that do with fetch.dnsServers'
    return { check: 'resolver', status: 'fail', detail, advice }
  }
  if (answered.length < names.length || median > SLOW_LOOKUP_MS) {
    const advice =
      'the resolver will lose rows as dns_timeout: run a caching one on this machine and set ' +
      'fetch.dnsServers: ["127.0.0.1"]'
    return { check: 'resolver', status: 'warn', detail, advice }
  }
  return { check: 'resolver', status: 'ok', detail }
}

/** Phrases, fetch and check, as a run does them; the teacher is left out. @returns rows that are left */
async function tryRows(
  config: Config,
  rows: readonly SourceRow[],
  lose: (code: ReasonCode, detail: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const extractor = createPhraseExtractor(config.caption, config.phrases, 1)
  // Nothing is recorded here, so any key will do.
  const hooks = await loadHooks(config.fetch, createUrlDigest(randomUrlKey()))
  const images = createImageLoader(config.fetch, config.image, hooks)
  let kept = 0
  try {
    const results = await extractor.extract(rows, signal)
    const phrased: SourceRow[] = []
    for (const [index, row] of rows.entries()) {
      const result = results[index]!
      if ('code' in result) lose(result.code, result.detail)
      else phrased.push({ ...row, caption: result.caption })
    }
    async function* each() {
      yield* phrased
    }
    const load = async (row: SourceRow) => {
      try {
        await images.load(row, signal)
        return undefined
      } catch (error) {
        if (error instanceof SampleError) return error
        throw error
      }
    }
    for await (const error of mapOrdered(each(), config.run.imagesAhead, load)) {
      if (error === undefined) kept++
      else lose(error.code, error.message)
    }
  } finally {
    await Promise.all([extractor.close(), images.close()])
  }
  return kept
}

function judgeRows(
  count: number,
  kept: number,
  codes: ReadonlyMap<ReasonCode, readonly string[]>,
): Finding {
  const losses = [...codes].sort(([, a], [, b]) => b.length - a.length)
  const list = losses.map(([code, details]) => `${code} ${details.length} (${details[0]})`)
  const detail = [`${kept} of ${count} would reach the teacher`, ...list].join('; ')
  const advice = losses.slice(0, 3).map(([code]) => adviceFor(code))
  if (kept === 0) {
    return { check: 'rows', status: 'fail', detail, advice: advice.join('; ') }
  }
  if (kept < count / 2) return { check: 'rows', status: 'warn', detail, advice: advice.join('; ') }
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

async function guarded(check: string, run: () => Promise<Finding>): Promise<Finding> {
  try {
    return await run()
  } catch (error) {
    return { check, status: 'fail', detail: messageOf(error) }
  }
}
