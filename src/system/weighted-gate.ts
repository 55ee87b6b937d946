// Lets callers in, in order, while a count and a sum of weights stay under their limits.

import { untilCalled } from './deadline.ts'

/** A weight above maxWeight counts as maxWeight: such a caller is let in alone. */
export function createWeightedGate(maxCount: number, maxWeight: number) {
  const waiting = new Set<{ readonly weight: number; readonly start: () => void }>()
  let count = 0
  let sum = 0

  const pump = () => {
    for (const waiter of waiting) {
      if (count >= maxCount || sum + waiter.weight > maxWeight) return
      waiting.delete(waiter)
      count++
      sum += waiter.weight
      waiter.start()
    }
  }
  return {
    /** Resolves to the function that gives the place back; rejects with the signal's reason. */
    acquire: (asked: number, signal: AbortSignal) =>
      untilCalled<() => void>(signal, (call) => {
        const weight = Math.min(asked, maxWeight)
        const release = () => {
          count--
          sum -= weight
          pump()
        }
        const waiter = { weight, start: () => call(release) }
        waiting.add(waiter)
        pump()
        return () => waiting.delete(waiter)
      }),
  }
}
