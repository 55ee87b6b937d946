// Who may send now: a global limit that adapts, a limit and a rate per host group, pauses that a
// server asked for. Groups take turns, so one slow host never holds up the others; a caller that
// has many URLs in hand gets them interleaved by host without ordering them itself.

import { untilCalled } from '../../system/deadline.ts'

/** What requests are held to. */
export interface SchedulerOptions {
  /** Requests in flight, all groups. */
  readonly concurrency: number
  readonly perGroup: number
  /** Starts per second and group; 0 = no limit. */
  readonly perGroupPerSecond: number
  readonly now?: () => number
}

/** Leave for one request. */
export interface Slot {
  /** Gives the slot back; `congested` tells whether the request ran into a time-out. */
  release(congested: boolean): void
}

/** Whose turn it is. */
export interface HostScheduler {
  /** Resolves when a request of the group may start; rejects with the signal's reason. */
  acquire(group: string, signal: AbortSignal): Promise<Slot>
  /** No request of the group starts before this time (milliseconds of `now`). */
  pause(group: string, until: number): void
  /** The present global limit, in [min(8, concurrency), concurrency]. */
  limit(): number
}

interface Waiter {
  readonly start: () => void
}

interface Group {
  active: number
  tokens: number
  refilledAt: number
  pausedUntil: number
  readonly waiting: Set<Waiter>
}

const MIN_LIMIT = 8
// One adaptation per this many finished requests.
const ROUND = 50
const CONGESTED_SHARE = 0.2

/** Callers wait in the order in which they came, groups take turns. */
export function createHostScheduler(options: SchedulerOptions): HostScheduler {
  const now = options.now ?? Date.now
  // Insertion order is the order of turns: a group that was served moves to the end.
  const groups = new Map<string, Group>()
  const limit = createAdaptiveLimit(options.concurrency)
  let active = 0
  let timer: NodeJS.Timeout | undefined

  const groupOf = (name: string): Group => {
    const known = groups.get(name)
    if (known !== undefined) return known
    const tokens = burstOf(options)
    const group = {
      active: 0,
      tokens,
      refilledAt: now(),
      pausedUntil: 0,
      waiting: new Set<Waiter>(),
    }
    groups.set(name, group)
    return group
  }

  /** Gives one turn to each group that may start. @returns milliseconds until the next may, if none did */
  const serveRound = (at: number): number => {
    let soonest = Infinity
    let served = false
    for (const [name, group] of [...groups]) {
      if (active >= limit.value) break
      const [waiter] = group.waiting
      if (waiter === undefined) {
        if (isIdle(group, at, options)) groups.delete(name)
        continue
      }
      const delay = delayOf(group, at, options)
      if (delay > 0) {
        soonest = Math.min(soonest, delay)
        continue
      }
      group.waiting.delete(waiter)
      group.tokens -= 1
      group.active++
      active++
      groups.delete(name)
      groups.set(name, group)
      served = true
      waiter.start()
    }
    return served ? 0 : soonest
  }
  const pump = () => {
    clearTimeout(timer)
    timer = undefined
    const at = now()
    let soonest = 0
    while (soonest === 0 && active < limit.value) soonest = serveRound(at)
    if (active < limit.value && Number.isFinite(soonest)) {
      timer = setTimeout(pump, Math.ceil(soonest))
    }
  }
  const slotOf = (group: Group): Slot => {
    let released = false
    return {
      release: (congested) => {
        if (released) return
        released = true
        group.active--
        active--
        limit.adapt(congested)
        pump()
      },
    }
  }

  return {
    acquire: (name, signal) =>
      untilCalled<Slot>(signal, (call) => {
        const group = groupOf(name)
        const waiter: Waiter = { start: () => call(slotOf(group)) }
        group.waiting.add(waiter)
        pump()
        return () => group.waiting.delete(waiter)
      }),
    pause: (name, until) => {
      const group = groupOf(name)
      group.pausedUntil = Math.max(group.pausedUntil, until)
    },
    limit: () => limit.value,
  }
}

type Rate = Pick<SchedulerOptions, 'perGroup' | 'perGroupPerSecond'>

function burstOf({ perGroupPerSecond }: Rate): number {
  return Math.max(1, perGroupPerSecond)
}

/** What the group may start by now, in requests. */
function tokensAt(group: Group, at: number, rate: Rate): number {
  const earned = (Math.max(0, at - group.refilledAt) / 1000) * rate.perGroupPerSecond
  return Math.min(burstOf(rate), group.tokens + earned)
}

/** Milliseconds until the group may start one more, 0 = now, Infinity = not before a release. */
function delayOf(group: Group, at: number, rate: Rate): number {
  if (group.active >= rate.perGroup) return Infinity
  if (group.pausedUntil > at) return group.pausedUntil - at
  if (rate.perGroupPerSecond === 0) return 0
  group.tokens = tokensAt(group, at, rate)
  group.refilledAt = at
  return group.tokens >= 1 ? 0 : ((1 - group.tokens) / rate.perGroupPerSecond) * 1000
}

/** A group that would be the same if it were made anew. */
function isIdle(group: Group, at: number, rate: Rate): boolean {
  if (group.active > 0 || group.pausedUntil > at) return false
  return rate.perGroupPerSecond === 0 || tokensAt(group, at, rate) >= burstOf(rate)
}

/** Falls while requests run into time-outs, rises again after, once per round. */
function createAdaptiveLimit(concurrency: number) {
  const floor = Math.min(MIN_LIMIT, concurrency)
  let value = concurrency
  let [finished, congestedCount] = [0, 0]
  return {
    get value() {
      return value
    },
    adapt: (congested: boolean) => {
      finished++
      if (congested) congestedCount++
      if (finished < ROUND) return
      const isCongested = congestedCount / finished > CONGESTED_SHARE
      value = isCongested
        ? Math.max(floor, Math.floor(value * 0.7))
        : Math.min(concurrency, value + 4)
      finished = congestedCount = 0
    },
  }
}
