// What is wrong here: the machine, the model and the first rows of the dataset, tried without
// labelling. Every check says what was seen and, unless it is fine, what to do.

import fs from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.ts'
import type { SourceRow } from '../core/types.ts'
import { openSource, type SourceReject } from '../ingest/source/source.ts'
import { describeTeacher, openTeacher } from '../teacher/open-teacher.ts'
import { createAnswerLog, judgeClock, judgeRobots, type AnswerLog } from './answers.ts'
import { guard, type Check } from './check.ts'
import { checkEgress } from './egress.ts'
import { judgeResolver, lookUpHosts, type Lookups } from './resolver.ts'
import { createLosses, judgeRows, tryRows, type Tried } from './rows.ts'

/** What is tried, and where. */
export interface DoctorOptions {
  readonly config: Config
  /** Of the dataset, to be tried. */
  readonly rows: number
  /** Where the run would be written. */
  readonly folder: string
  /** Environment variables, for proxies that are not used. */
  readonly env?: NodeJS.ProcessEnv
  /** Milliseconds for each check; what is not known by then is said. */
  readonly limitMs?: number
  readonly signal: AbortSignal
}

const MIN_FREE_GB = 5
/** A teacher of 1 GB on a slow disk, or 100 rows of dead hosts, take less. */
const LIMIT_MS = 120_000

/** @returns the checks in their order, as they come */
export async function* diagnose(options: DoctorOptions): AsyncGenerator<Check> {
  const given = { env: process.env, limitMs: LIMIT_MS, ...options }
  yield checkNode()
  yield await guard({ ...given, check: 'disk' }, () => checkDisk(given.folder))
  yield await guard({ ...given, check: 'teacher' }, () => checkTeacher(given.config))
  const log = createAnswerLog()
  yield* diagnoseDataset(given, log)
  yield judgeClock(log)
}

function checkNode(): Check {
  const { node } = process.versions
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const isOld = major < 20 || (major === 20 && minor < 19)
  const detail = `Node ${node}, ${process.platform}-${process.arch}`
  return isOld
    ? { check: 'node', status: 'fail', detail, advice: 'install Node 20.19 or later' }
    : { check: 'node', status: 'ok', detail }
}

async function checkDisk(folder: string): Promise<Check> {
  // The run folder may not be there yet: its first parent that is.
  let place = path.resolve(folder)
  while ((await fs.stat(place).catch(() => null)) === null) place = path.dirname(place)
  const { bavail, bsize } = await fs.statfs(place)
  const free = (bavail * bsize) / 1e9
  const detail = `${free.toFixed(1)} GB free in ${place}`
  if (free >= MIN_FREE_GB) return { check: 'disk', status: 'ok', detail }
  const advice = `images are about 0.1 GB per 1000 rows, twice that while a shard is worked on`
  return { check: 'disk', status: 'warn', detail, advice }
}

async function checkTeacher(config: Config): Promise<Check> {
  const { id, sha256 } = await describeTeacher(config.teacher)
  const notes: string[] = []
  const teacher = await openTeacher(config, (message) => notes.push(message))
  const { provider } = teacher
  await teacher.close()
  const detail = [`${id} (${sha256.slice(0, 12)}) runs on ${provider}`, ...notes].join('; ')
  if (provider !== 'cpu') return { check: 'teacher', status: 'ok', detail }
  const advice = 'a GPU is many times faster; see `groundmill teacher --help` for what is tried'
  return {
    check: 'teacher',
    status: config.teacher.provider === 'cpu' ? 'ok' : 'warn',
    detail,
    advice,
  }
}

async function* diagnoseDataset(
  given: Required<DoctorOptions>,
  log: AnswerLog,
): AsyncGenerator<Check> {
  const { config, env, limitMs, signal } = given
  if (config.source === undefined) {
    const advice = 'give a config with a source: section to have the dataset tried'
    yield { check: 'dataset', status: 'ok', detail: 'none configured', advice }
    return
  }
  let items: readonly (SourceRow | SourceReject)[] = []
  yield await guard({ ...given, check: 'dataset' }, async (within) => {
    const read = await readFirst({ ...given, signal: within })
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
  yield await guard({ ...given, check: 'egress' }, async () => {
    lookups = await lookUpHosts(config.fetch, urls)
    return checkEgress(lookups, { ...config.fetch, env })
  })

  const losses = createLosses()
  for (const item of items) if ('code' in item) losses.add(item)
  let tried: Tried | undefined
  // The fetches end after the limit; this is for the phrases, which need no one but the processor.
  const limits = { check: 'rows', limitMs: limitMs + LIMIT_MS, signal }
  yield await guard(limits, async (within) => {
    tried = await tryRows(readable, { config, losses, log, limitMs, signal: within })
    return judgeRows({ ...tried, count: items.length }, losses.byCode)
  })
  signal.throwIfAborted()
  // After the rows, which tell how many names a run asks for.
  if (lookups !== undefined) yield judgeResolver({ ...lookups, ...tried }, config.fetch)
  if (urls.length === 0) return
  yield judgeRobots({ ...log, ...losses.robots(), rows: urls.length }, config.fetch)
}

async function readFirst({ config, rows, signal }: DoctorOptions) {
  const source = await openSource(config.source!, signal, { fetch: config.fetch })
  try {
    const items: (SourceRow | SourceReject)[] = []
    for await (const shard of source.plan(rows, signal)) {
      const first = { ...shard, end: Math.min(shard.end, shard.start + rows) }
      for await (const item of source.read(first, signal)) items.push(item)
      break
    }
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
