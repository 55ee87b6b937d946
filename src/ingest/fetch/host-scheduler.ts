// Who may send now: a global limit that adapts, a limit and a rate per host group, pauses that a
// server asked for. Groups take turns, so one slow host never holds up the others; a caller that
// has many URLs in hand gets them interleaved by host without ordering them itself.

export interface SchedulerOptions {
  /** Requests in flight, all groups. */
  readonly concurrency: number
  readonly perGroup: number
  /** Starts per second and group; 0 = no limit. */
  readonly perGroupPerSecond: number
  readonly now?: () => number
}

export interface Slot {
  /** Gives the slot back; `congested` tells whether the request ran into a time-out. */
  release(congested: boolean): void
}

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

export function createHostScheduler(options: SchedulerOptions): HostScheduler {
  const now = options.now ?? Date.now
  const burst = Math.max(1, options.perGroupPerSecond)
  // Insertion order is the order of turns: a group that was served moves to the end.
  const groups = new Map<string, Group>()
  let active = 0
  let limit = options.concurrency
  let finished = 0
  let congestedCount = 0
  let timer: NodeJS.Timeout | undefined

  const groupOf = (name: string): Group => {
    let group = groups.get(name)
    if (group === undefined) {
      group = { active: 0, tokens: burst, refilledAt: now(), pausedUntil: 0, waiting: new Set() }
      groups.set(name, group)
    }
    return group
  }

  /** Milliseconds until the group may start one more, 0 = now, Infinity = not before a release. */
  const wait = (group: Group, at: number): number => {
    if (group.active >= options.perGroup) return Infinity
    if (group.pausedUntil > at) return group.pausedUntil - at
    if (options.perGroupPerSecond === 0) return 0
    const earned = ((at - group.refilledAt) / 1000) * options.perGroupPerSecond
    group.tokens = Math.min(burst, group.tokens + Math.max(0, earned))
    group.refilledAt = at
    return group.tokens >= 1 ? 0 : ((1 - group.tokens) / options.perGroupPerSecond) * 1000
  }

  const pump = () => {
    clearTimeout(timer)
    timer = undefined
    const at = now()
    let soonest = Infinity
    let served = true
    while (served && active < limit) {
      served = false
      for (const [name, group] of [...groups]) {
        if (active >= limit) break
        const [waiter] = group.waiting
        if (waiter === undefined) {
          if (isIdle(group, at)) groups.delete(name)
          continue
        }
        const delay = wait(group, at)
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
    }
    if (active < limit && Number.isFinite(soonest)) timer = setTimeout(pump, Math.ceil(soonest))
  }

  /** A group that would be the same if it were made anew. */
  const isIdle = (group: Group, at: number): boolean =>
    group.active === 0 &&
    group.pausedUntil <= at &&
    (options.perGroupPerSecond === 0 ||
      group.tokens + ((at - group.refilledAt) / 1000) * options.perGroupPerSecond >= burst)

  const adapt = (congested: boolean) => {
    finished++
    if (congested) congestedCount++
    if (finished < ROUND) return
    const share = congestedCount / finished
    const floor = Math.min(MIN_LIMIT, options.concurrency)
    if (share > CONGESTED_SHARE) limit = Math.max(floor, Math.floor(limit * 0.7))
    else limit = Math.min(options.concurrency, limit + 4)
    finished = 0
    congestedCount = 0
  }

  return {
    acquire: (name, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error)
          return
        }
        const group = groupOf(name)
        const onAbort = () => {
          group.waiting.delete(waiter)
          reject(signal.reason as Error)
        }
        const start = () => {
          signal.removeEventListener('abort', onAbort)
          let released = false
          const release = (congested: boolean) => {
            if (released) return
            released = true
            group.active--
            active--
            adapt(congested)
            pump()
          }
          resolve({ release })
        }
        const waiter = { start }
        group.waiting.add(waiter)
        signal.addEventListener('abort', onAbort, { once: true })
        pump()
      }),
    pause: (name, until) => {
      const group = groupOf(name)
      group.pausedUntil = Math.max(group.pausedUntil, until)
    },
    limit: () => limit,
  }
}
