// The one place where work overlaps: results in input order, a bounded number in flight.

/** An item that was pulled and whose result was not handed out yet. */
export interface InFlight<In, Out> {
  readonly item: In
  /** Set once the call has ended well. */
  readonly result?: Out
}

/** How many calls may run or be finished but unread; or whether one more may begin beside these. */
export type Room<In, Out> = number | ((inFlight: readonly InFlight<In, Out>[]) => boolean)

type Call<In, Out> =
  | { readonly state: 'running'; readonly item: In }
  | { readonly state: 'done'; readonly item: In; readonly result: Out }
  | { readonly state: 'failed'; readonly item: In; readonly error: unknown }

/**
 * Maps with as many calls running or finished but unread as there is room for; one may always run.
 * Pulls no further ahead, and does so whether or not the consumer is asking. When the consumer stops
 * early or a call fails, waits for the calls in flight and closes the source.
 *
 * @throws what the first failing call, in input order, has thrown; or the source's own error at once
 */
export async function* mapOrdered<In, Out>(
  source: AsyncIterable<In> | Iterable<In>,
  room: Room<In, Out>,
  map: (item: In) => Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  const hasRoom = typeof room === 'number' ? (calls: unknown[]) => calls.length < room : room
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  const calls: Call<In, Out>[] = []
  const running = new Set<Promise<void>>()
  let pull: Promise<void> | undefined
  let isEnded = false
  let broken: { readonly error: unknown } | undefined
  let wake: () => void = () => undefined

  const start = (item: In) => {
    let call: Call<In, Out> = { state: 'running', item }
    calls.push(call)
    const replace = (settled: Call<In, Out>) => {
      calls[calls.indexOf(call)] = settled
      call = settled
    }
    const ended = map(item).then(
      (result) => {
        replace({ state: 'done', item, result })
      },
      (error: unknown) => {
        replace({ state: 'failed', item, error })
      },
    )
    running.add(ended)
    void ended.then(() => {
      running.delete(ended)
      fill()
      wake()
    })
  }
  /** Pulls one item at a time for as long as there is room. */
  const fill = () => {
    if (isEnded || pull !== undefined || (calls.length > 0 && !hasRoom(calls))) return
    pull = Promise.resolve(iterator.next()).then(
      ({ done, value }) => {
        pull = undefined
        if (done === true) isEnded = true
        else if (!isEnded) start(value)
        fill()
        wake()
      },
      (error: unknown) => {
        pull = undefined
        isEnded = true
        broken = { error }
        wake()
      },
    )
  }
  try {
    for (;;) {
      fill()
      if (broken !== undefined) throw broken.error
      const [first] = calls
      if (first === undefined && isEnded) return
      if (first === undefined || first.state === 'running') {
        await new Promise<void>((resolve) => (wake = resolve))
        continue
      }
      if (first.state === 'failed') throw first.error
      calls.shift()
      yield first.result
    }
  } finally {
    isEnded = true
    await Promise.all([pull, ...running])
    await iterator.return?.()
  }
}
