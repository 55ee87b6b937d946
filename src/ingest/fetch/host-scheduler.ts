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

const MIN_LIMIT = 8
// One adaptation per this many finished requests.
const ROUND = 50
const CONGESTED_SHARE = 0.2

/** Callers wait in the order in which they came, groups take turns. */
export function createHostScheduler(options: SchedulerOptions) {
  const now = options.now ?? Date.now
  // Insertion order is the order of turns: a group that was served moves to the end.
  const groups = new Map<string, Group>()
  const limit = createAdaptiveLimit(options.concurrency)
  let active = 0
  let timer: NodeJS.Timeout | undefined

  const groupOf = (name: string): Group => {
    const group = groups.get(name) ?? new Group(options, now())
    groups.set(name, group)
    return group
  }

  /** Gives one turn to each group that may start. @returns milliseconds until the next may, if none did */
  const serveRound = (at: number): number => {
    let soonest = Infinity
    let served = false
    for (const [name, group] of [...groups]) {
      if (active >= limit.value) break
      const [start] = group.waiting
      if (start === undefined) {
        if (group.isIdle(at)) groups.delete(name)
        continue
      }
      const delay = group.delay(at)
      if (delay > 0) {
        soonest = Math.min(soonest, delay)
        continue
      }
      group.waiting.delete(start)
      group.begin()
      active++
      groups.delete(name)
      groups.set(name, group)
      served = true
      start()
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
  const slotOf = (group: Group) => {
    let released = false
    return {
      /** Gives the slot back; `congested` tells whether the request ran into a time-out. */
      release: (congested: boolean) => {
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
    /** Resolves when a request of the group may start; rejects with the signal's reason. */
    acquire: (name: string, signal: AbortSignal) =>
      untilCalled<ReturnType<typeof slotOf>>(signal, (call) => {
        const group = groupOf(name)
        const start = () => call(slotOf(group))
        group.waiting.add(start)
        pump()
        return () => group.waiting.delete(start)
      }),
    /** No request of the group starts before this time (milliseconds of `now`). */
    pause: (name: string, until: number): void => {
      const group = groupOf(name)
      group.pausedUntil = Math.max(group.pausedUntil, until)
    },
    /** The present global limit, in [min(8, concurrency), concurrency]. */
    limit: () => limit.value,
  }
}

/** Whose turn it is. */
export type HostScheduler = ReturnType<typeof createHostScheduler>

/** Requests that share a limit and a rate. */
class Group {
  active = 0
  pausedUntil = 0
  /** Each starts one. */
  readonly waiting = new Set<() => void>()
  readonly #limits: SchedulerOptions
  readonly #burst: number
  #tokens: number
  #refilledAt: number

  constructor(limits: SchedulerOptions, at: number) {
    this.#limits = limits
    this.#burst = this.#tokens = Math.max(1, limits.perGroupPerSecond)
    this.#refilledAt = at
  }

  begin(): void {
    this.#tokens--
    this.active++
  }

  /** Milliseconds until one more may start, 0 = now, Infinity = not before a release. */
  delay(at: number): number {
    const { perGroup, perGroupPerSecond } = this.#limits
    if (this.active >= perGroup) return Infinity
    if (this.pausedUntil > at) return this.pausedUntil - at
    if (perGroupPerSecond === 0) return 0
    this.#tokens = this.#tokensAt(at)
    this.#refilledAt = at
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) / perGroupPerSecond) * 1000
  }

  /** It would be the same if it were made anew. */
  isIdle(at: number): boolean {
    if (this.active > 0 || this.pausedUntil > at) return false
    return this.#limits.perGroupPerSecond === 0 || this.#tokensAt(at) >= this.#burst
  }

  /** What may start by now, in requests. */
  #tokensAt(at: number): number {
    const seconds = Math.max(0, at - this.#refilledAt) / 1000
    return Math.min(this.#burst, this.#tokens + seconds * this.#limits.perGroupPerSecond)
  }
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
