// What happens to a shard when the program is asked to stop: it ends if it can end soon, else at once.

/** A shard begun after the request to stop would not be, so this is about those in flight. */
export const FINISH_WITHIN_MS = 15_000

/** A request to stop on its way to one piece of work. */
export interface Drain {
  /** Aborted, with the reason of the request, when the work must stop. */
  readonly signal: AbortSignal
  /** Another unit of the work is done. */
  advance(): void
  /** The work has ended; to be called in any case. */
  end(): void
}

/**
 * Passes a request to stop on to one piece of work: not at all if at its pace so far the work ends
 * within `withinMs` and does so, else at once or when that time is over.
 *
 * @param units of work in all, for the pace
 */
export function drain(stop: AbortSignal, units: number, withinMs = FINISH_WITHIN_MS): Drain {
  const controller = new AbortController()
  const begun = performance.now()
  let done = 0
  let timer: NodeJS.Timeout | undefined
  const cut = () => {
    controller.abort(stop.reason)
  }
  const onStop = () => {
    const elapsed = performance.now() - begun
    const left = done === 0 ? Infinity : (elapsed / done) * (units - done)
    if (left > withinMs) cut()
    else timer = setTimeout(cut, withinMs)
  }
  if (stop.aborted) cut()
  else stop.addEventListener('abort', onStop, { once: true })
  return {
    signal: controller.signal,
    advance: () => {
      done++
    },
    end: () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', onStop)
    },
  }
}
