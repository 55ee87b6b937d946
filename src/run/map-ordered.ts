// The one place where work overlaps: results in input order, a bounded number in flight.

/**
 * Maps with up to `concurrency` calls running or finished but unread; never pulls further ahead.
 * When the consumer stops early or a call fails, waits for the calls in flight and closes the source.
 *
 * @throws what the first failing call, in input order, has thrown
 */
export async function* mapOrdered<In, Out>(
  source: AsyncIterable<In>,
  concurrency: number,
  map: (item: In) => Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const inFlight: Promise<Out>[] = []
  let isExhausted = false
  // One pull at a time; a pull that waits must not keep finished results from the consumer.
  let pull: Promise<void> | undefined
  const startPull = () => {
    pull = iterator.next().then(({ done, value }) => {
      pull = undefined
      if (done === true) {
        isExhausted = true
        return
      }
      const result = map(value)
      result.catch(() => undefined) // seen when its turn comes
      inFlight.push(result)
    })
    pull.catch(() => undefined) // seen by whoever awaits it
  }
  try {
    for (;;) {
      if (!isExhausted && pull === undefined && inFlight.length < concurrency) startPull()
      const first = inFlight[0]
      if (first === undefined) {
        if (pull === undefined) return
        await pull
      } else if (pull === undefined) {
        yield await shift(inFlight, first)
      } else {
        const winner = await Promise.race([pull.then(() => 'pulled'), first.then(() => 'mapped')])
        if (winner === 'mapped') yield await shift(inFlight, first)
      }
    }
  } finally {
    await Promise.allSettled([...(pull === undefined ? [] : [pull]), ...inFlight])
    await iterator.return?.()
  }
}

async function shift<T>(queue: Promise<T>[], first: Promise<T>): Promise<T> {
  const result = await first
  void queue.shift() // the same promise
  return result
}
