// What is wrong here: the machine, the model and the first rows of the dataset, tried without
// labelling. Every finding says what was seen and, unless it is fine, what to do.

import { setMaxListeners } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.ts'
import { messageOf, SampleError } from '../core/errors.ts'
import { retryOf, type ReasonCode } from '../core/reasons.ts'
import type { Shard, SourceRow } from '../core/types.ts'
import type { SourceReject } from '../ingest/source/source.ts'
import { loadHooks } from '../ingest/fetch/hooks.ts'
import { createImageLoader } from '../ingest/image/load.ts'
import { openSource } from '../ingest/source/source.ts'
import { createPhraseExtractor } from '../nlp/extractor.ts'
import { createUrlDigest, randomUrlKey } from '../store/url-digest.ts'
import { describeTeacher, openTeacher } from '../teacher/open-teacher.ts'
import {
  checkEgress,
  createAnswerLog,
  judgeClock,
  judgeResolver,
  judgeRobots,
  lookUpHosts,
  type AnswerLog,
  type Lookups,
} from './check-network.ts'
import { mapOrdered } from '../system/map-ordered.ts'

export interface Finding {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do about it, in words. */
  readonly advice?: string
}

export interface DoctorOptions {
  /** Of the dataset, to be tried. */
  readonly rows: number
  /** Where the run would be written. */
  readonly folder: string
  /** Environment variables, for proxies that are not used. */
  readonly env?: NodeJS.ProcessEnv
  /** Milliseconds for each check; what is not known by then is said. */
  readonly limitMs?: number
}

const MIN_FREE_GB = 5
/** A teacher of 1 GB on a slow disk, or 100 rows of dead hosts, take less. */
const LIMIT_MS = 120_000

/** @returns findings in the order of the checks, as they come */
export async function* diagnose(
  config: Config,
  { rows, folder, env = process.env, limitMs = LIMIT_MS }: DoctorOptions,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const guarded = (check: string, run: () => Promise<Finding>) => guard(check, limitMs, run)
  yield checkNode()
  yield await guarded('disk', () => checkDisk(folder))
  yield await guarded('teacher', () => checkTeacher(config))
  const log = createAnswerLog()
  yield* diagnoseDataset(config, { rows, env, limitMs, log }, signal)
  yield judgeClock(log)
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

interface DatasetOptions {
  readonly rows: number
  readonly env: NodeJS.ProcessEnv
  readonly limitMs: number
  readonly log: AnswerLog
}

async function* diagnoseDataset(
  config: Config,
  { rows: limit, env, limitMs, log }: DatasetOptions,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  if (config.source === undefined) {
    const advice = 'give a config with a source: section to have the dataset tried'
    yield { check: 'dataset', status: 'ok', detail: 'none configured', advice }
    return
  }
  let items: readonly (SourceRow | SourceReject)[] = []
  yield await guard('dataset', limitMs, async () => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
    const read = await readFirst(config, limit, within)
    items = read.items
    const detail = `${items.length} rows read; columns ${read.columns}`
    return items.length > 0
      ? { check: 'dataset', status: 'ok', detail }
      : { check: 'dataset', status: 'fail', detail, advice: 'the source has no rows' }
  })
  signal.throwIfAborted()
  if (items.length === 0) return

  const readable = items.filter((item): item is SourceRow => !('code' in item))
  const urls = readable.flatMap(({ image }) => (image.kind === 'url' ? image.url : []))
  let lookups: Lookups | undefined
  yield await guard('egress', limitMs, async () => {
    lookups = await lookUpHosts(config.fetch, urls)
    return checkEgress(lookups, config.fetch, env)
  })

  const losses = createLosses()
  for (const item of items) if ('code' in item) losses.add(item.code, item.detail)
  let tried: Tried | undefined
  // The fetches end after the limit; this is for the phrases, which need no one but the processor.
  yield await guard('rows', limitMs + LIMIT_MS, async () => {
    tried = await tryRows(config, readable, { losses, log, limitMs }, signal)
    return judgeRows(items.length, tried, losses.byCode)
  })
  signal.throwIfAborted()
  // After the rows, which tell how many names a run asks for.
  if (lookups !== undefined) yield judgeResolver(lookups, config.fetch, tried?.secondsPerImage)
  if (urls.length > 0) yield judgeRobots(log, losses.robots(), urls.length, config.fetch)
}

async function readFirst(config: Config, limit: number, signal: AbortSignal) {
  const source = await openSource(config.source!, signal, config.fetch)
  try {
    const items: (SourceRow | SourceReject)[] = []
    const shard = await firstShard(source.plan(limit, signal), limit)
    if (shard !== undefined) for await (const item of source.read(shard, signal)) items.push(item)
    return { items, columns: describeColumns(config, source.identity) }
  } finally {
    await source.close()
  }
}

/** Each column and whether it was guessed by its name. */
function describeColumns({ source }: Config, identity: unknown): string {
  const { columns = {} } = identity as { readonly columns?: Readonly<Record<string, unknown>> }
  const given: Readonly<Record<string, unknown>> = source?.columns ?? {}
  const said = Object.entries(columns).flatMap(([role, name]) => {
    if (Array.isArray(name)) return name.length === 0 ? [] : [`${role} ${name.join(', ')}`]
    const isGuess = given[role] === undefined && source?.preset === undefined
    return [`${role} = ${JSON.stringify(name)}${isGuess ? ' (guessed)' : ''}`]
  })
  return said.join(', ')
}

async function firstShard(plan: AsyncIterable<Shard>, limit: number): Promise<Shard | undefined> {
  for await (const shard of plan) {
    return { ...shard, end: Math.min(shard.end, shard.start + limit) }
  }
  return undefined
}

/** What became of rows, by code and, where sites refuse or are silent, by host. */
function createLosses() {
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
type Losses = ReturnType<typeof createLosses>

interface Tried {
  /** Rows that would reach the teacher. */
  readonly kept: number
  /** Rows that there was no time for. */
  readonly late: number
  /** Of a row with a URL, from its first request to its pixels; undefined: no image was had. */
  readonly secondsPerImage: number | undefined
}

/** Phrases, fetch and check, as a run does them; the teacher is left out. */
async function tryRows(
  config: Config,
  rows: readonly SourceRow[],
  { losses, log, limitMs }: Pick<DatasetOptions, 'log' | 'limitMs'> & { readonly losses: Losses },
  signal: AbortSignal,
): Promise<Tried> {
  const extractor = createPhraseExtractor(config.caption, config.phrases, 1)
  // Nothing is recorded here, so any key will do.
  const hooks = await loadHooks(config.fetch, createUrlDigest(randomUrlKey()))
  // What may pass later is not waited for.
  const fetch = { ...config.fetch, retries: 0, maxRetryAfterMs: 0 }
  const images = createImageLoader(fetch, config.image, {
    hooks,
    deps: { onAnswer: log.onAnswer },
  })
  let [kept, late, fetched, seconds] = [0, 0, 0, 0]
  try {
    const results = await extractor.extract(rows, signal)
    const phrased: SourceRow[] = []
    for (const [index, row] of rows.entries()) {
      const result = results[index]!
      if ('code' in result) losses.add(result.code, result.detail)
      else phrased.push({ ...row, caption: result.caption })
    }
    const within = AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
    setMaxListeners(0, within) // one listener per image in flight
    const load = async (row: SourceRow) => {
      const begun = performance.now()
      try {
        await images.load(row, within)
        if (row.image.kind === 'url') {
          fetched++
          seconds += (performance.now() - begun) / 1000
        }
        return undefined
      } catch (error) {
        if (error instanceof SampleError) return error
        signal.throwIfAborted()
        if (within.aborted) return 'late' as const
        throw error
      }
    }
    for await (const error of mapOrdered(phrased, config.run.imagesAhead, load)) {
      if (error === undefined) kept++
      else if (error === 'late') late++
      else losses.add(error.code, error.message, error.context.host)
    }
  } finally {
    await Promise.all([extractor.close(), images.close()])
  }
  return { kept, late, secondsPerImage: fetched === 0 ? undefined : seconds / fetched }
}

function judgeRows(
  count: number,
  { kept, late }: Tried,
  codes: ReadonlyMap<ReasonCode, readonly string[]>,
): Finding {
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

/** A check that throws, or does not end in time, is a finding, too. */
async function guard(
  check: string,
  limitMs: number,
  run: () => Promise<Finding>,
): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      const detail = `not done in ${limitMs / 1000} s`
      resolve({
        check,
        status: 'fail',
        detail,
        advice: 'something that this reads does not answer',
      })
    }, limitMs)
  })
  try {
    return await Promise.race([run(), late])
  } catch (error) {
    return { check, status: 'fail', detail: messageOf(error) }
  } finally {
    clearTimeout(timer)
  }
}
