// What the answers to a run's own requests say beside their bodies: what sites allow, and the time.

import type { HopAnswer } from '../ingest/fetch/fetcher.ts'
import type { FetchOptions } from '../ingest/fetch/options.ts'
import type { Check } from './check.ts'

/** What the answers to the run's own requests say beside their bodies. */
export interface AnswerLog {
  readonly onAnswer: (answer: HopAnswer) => void
  /** By host: what became of robots.txt, and milliseconds for it. */
  readonly robots: ReadonlyMap<string, { readonly status: number; readonly ms: number }>
  /** By host: milliseconds that its clock is ahead of ours. */
  readonly ahead: ReadonlyMap<string, number>
}

/** Empty; told by the fetcher. */
export function createAnswerLog(now: () => number = Date.now): AnswerLog {
  const robots = new Map<string, { status: number; ms: number }>()
  const ahead = new Map<string, number>()
  return {
    robots,
    ahead,
    onAnswer: ({ url, status, headers, tookMs }) => {
      if (url.pathname === '/robots.txt') {
        const before = robots.get(url.hostname)
        robots.set(url.hostname, { status, ms: tookMs + (before?.ms ?? 0) })
      }
      const date = Date.parse(String(headers['date']))
      if (Number.isNaN(date)) return
      // A cache tells how long ago its answer was made. The date has whole seconds, rounded down.
      const age = Number(headers['age'] ?? 0)
      const there = date + (Number.isFinite(age) ? age * 1000 : 0) + 500
      if (!ahead.has(url.hostname)) ahead.set(url.hostname, there - now())
    },
  }
}

/** What rows lost to their sites' wishes. */
export interface RobotsLosses {
  /** Hosts whose robots.txt could not be had. */
  readonly unreachable: ReadonlySet<string>
  readonly refusedRows: number
  readonly refusingHosts: ReadonlySet<string>
}

const SILENT =
  'silence means no (RFC 9309), so rows of such hosts are lost as robots_unreachable: try ' +
  'retry-failed later'
const REFUSING =
  'that is to be respected; a dataset without these hosts (fetch.blockUrls) saves their requests'

interface RobotsSeen extends RobotsLosses, Pick<AnswerLog, 'robots'> {
  /** With a URL. */
  readonly rows: number
}

/** Whether sites let themselves be fetched. */
export function judgeRobots(seen: RobotsSeen, options: FetchOptions): Check {
  const { robots, unreachable, refusedRows, refusingHosts, rows } = seen
  const check = 'robots'
  const hosts = new Set([...robots.keys(), ...unreachable])
  if (hosts.size === 0) {
    const { contentUsage, contentSignal } = options.optOut
    const isAsked = options.robots || contentUsage.length + contentSignal.length > 0
    const detail = isAsked ? 'no site was asked for it' : 'not asked for (fetch.robots: false)'
    return { check, status: 'ok', detail }
  }
  const given = [...robots].filter(([host, { status }]) => status < 300 && !unreachable.has(host))
  const ms = (time = 0) => `${time.toFixed(0)} ms`
  const times = [...robots.values()].map(({ ms }) => ms).sort((a, b) => a - b)
  const detail = [
    `${hosts.size} hosts for ${rows} rows: ${given.length} have a robots.txt, ` +
      `${hosts.size - given.length - unreachable.size} have none, ` +
      `${unreachable.size} could not give it`,
    ...(times.length === 0
      ? []
      : [`median ${ms(times[times.length >> 1])}, slowest ${ms(times.at(-1))}`]),
    `${refusingHosts.size} hosts refuse ${refusedRows} rows`,
  ].join('; ')
  const advice: string[] = []
  if (unreachable.size > hosts.size / 10) advice.push(SILENT)
  if (refusedRows > rows / 10) advice.push(REFUSING)
  if (advice.length === 0) return { check, status: 'ok', detail }
  return { check, status: 'warn', detail, advice: advice.join('; ') }
}

/** Released in 2026: a clock before that is wrong. */
const OLDEST_NOW = Date.UTC(2026, 0, 1)
/** Retry-After and Age are told in seconds. */
const SKEW_MS = 10_000
/** Young certificates, and those that end soon, are refused then. */
const WRONG_MS = 3_600_000
/** Fewer servers may be wrong themselves. */
const MIN_SERVERS = 3

/** Compares the clock with those of the servers that answered. */
export function judgeClock({ ahead }: Pick<AnswerLog, 'ahead'>, now = Date.now()): Check {
  const check = 'clock'
  const time = new Date(now).toISOString()
  const advice =
    'set the clock (NTP): certificates are judged by it, and so are dates in Retry-After'
  const skews = [...ahead.values()].sort((a, b) => a - b)
  if (skews.length === 0) {
    const detail = `${time}; no server told its time`
    if (now >= OLDEST_NOW) return { check, status: 'ok', detail }
    return { check, status: 'fail', detail, advice }
  }
  const median = skews[skews.length >> 1]!
  const detail =
    `${time}; ${(Math.abs(median) / 1000).toFixed(1)} s ${median > 0 ? 'behind' : 'ahead of'} ` +
    (skews.length === 1 ? 'the one server that told its time' : `${skews.length} servers (median)`)
  if (Math.abs(median) < SKEW_MS) return { check, status: 'ok', detail }
  const isSure = skews.length >= MIN_SERVERS && Math.abs(median) >= WRONG_MS
  return { check, status: isSure ? 'fail' : 'warn', detail, advice }
}
