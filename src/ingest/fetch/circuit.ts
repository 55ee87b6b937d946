// Leaves a host alone that failed several times in a row, so that a dead one costs seconds and not
// a deadline per row; and one that asked for a longer pause than we wait.

import type { FetchOptions } from './options.ts'

interface State {
  failures: number
  openUntil: number
  parkedUntil: number
}

// Far more hosts than are in flight; the longest unused leaves first.
const MAX_HOSTS = 50_000

type CircuitOptions = Pick<FetchOptions, 'circuitFailures' | 'circuitCooldownMs'>

/** Which hosts are left alone, and for how long. */
export function createCircuits(
  { circuitFailures, circuitCooldownMs }: CircuitOptions,
  now: () => number = Date.now,
) {
  const states = new Map<string, State>()
  const touch = (host: string): State => {
    const state = states.get(host) ?? { failures: 0, openUntil: 0, parkedUntil: 0 }
    states.delete(host)
    states.set(host, state)
    if (states.size > MAX_HOSTS) states.delete(states.keys().next().value ?? '')
    return state
  }
  return {
    /** Milliseconds until the host may be asked again; 0 = now. One caller gets 0 to try a healed host. */
    remaining: (host: string): number => {
      const state = states.get(host)
      if (state === undefined) return 0
      const left = Math.max(state.openUntil, state.parkedUntil) - now()
      if (left > 0) return left
      if (state.openUntil === 0) return 0
      // Half open: this caller tries; the others wait for its result, at most one more cool-down.
      state.openUntil = now() + circuitCooldownMs
      return 0
    },
    failed: (host: string): void => {
      const state = touch(host)
      if (++state.failures >= circuitFailures) state.openUntil = now() + circuitCooldownMs
    },
    succeeded: (host: string): void => {
      const state = states.get(host)
      if (state === undefined) return
      // An answer that was under way says nothing about a pause that was asked for.
      if (state.parkedUntil <= now()) states.delete(host)
      else state.failures = state.openUntil = 0
    },
    /** Leaves the host alone for this long whatever it did before. */
    park: (host: string, ms: number): void => {
      const state = touch(host)
      state.parkedUntil = Math.max(state.parkedUntil, now() + ms)
    },
  }
}

/** One for all hosts. */
export type Circuits = ReturnType<typeof createCircuits>
