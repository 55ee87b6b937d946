import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  DeadlineError,
  startDeadline,
  untilCalled,
  untilAborted,
  withDeadline,
} from '../../src/system/deadline.ts'

const silent = () => new Promise<never>(() => undefined)

/** A controller that counts who listens to its signal. */
function counting() {
  const controller = new AbortController()
  const added = vi.spyOn(controller.signal, 'addEventListener')
  const removed = vi.spyOn(controller.signal, 'removeEventListener')
  const listeners = () => added.mock.calls.length - removed.mock.calls.length
  return { controller, listeners }
}

describe('withDeadline', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('gives what the work gives, and leaves nothing behind', async () => {
    const { controller, listeners } = counting()

    expect(await withDeadline(1000, controller.signal, async () => 5)).toBe(5)

    expect(vi.getTimerCount()).toBe(0)
    expect(listeners()).toBe(0)
  })
  it('ends work that does not listen, and tells it', async () => {
    const { controller, listeners } = counting()
    let told: AbortSignal | undefined
    const ended = withDeadline(1000, controller.signal, (signal) => {
      told = signal
      return silent()
    })
    const seen = expect(ended).rejects.toThrow(new DeadlineError(1000))

    await vi.advanceTimersByTimeAsync(999)
    expect(told?.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)

    await seen
    expect(told?.reason).toBeInstanceOf(DeadlineError)
    expect(listeners()).toBe(0)
  })
  it('ends with the reason of its parent', async () => {
    const { controller } = counting()
    const ended = withDeadline(1000, controller.signal, silent)

    controller.abort(new Error('enough'))

    await expect(ended).rejects.toThrow('enough')
    expect(vi.getTimerCount()).toBe(0)
  })
  it('does not begin when its parent has ended', async () => {
    const work = vi.fn(silent)

    await expect(withDeadline(1, AbortSignal.abort(new Error('over')), work)).rejects.toThrow(
      'over',
    )

    expect(work).not.toHaveBeenCalled()
  })
  it('passes on what the work throws', async () => {
    const work = withDeadline(1000, undefined, async () => {
      throw new Error('broken')
    })

    await expect(work).rejects.toThrow('broken')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('startDeadline', () => {
  it('fires although nobody holds its signal and garbage is collected', async () => {
    const { default: v8 } = await import('node:v8')
    const { default: vm } = await import('node:vm')
    v8.setFlagsFromString('--expose-gc')
    const collect = vm.runInNewContext('gc') as () => void
    const fired = new Promise((resolve) => {
      startDeadline(20).signal.addEventListener('abort', resolve)
    })

    collect()

    await fired
  })
  it('is aborted at once under a parent that is', () => {
    const deadline = startDeadline(60_000, AbortSignal.abort('over'))

    expect(deadline.signal.reason).toBe('over')
    deadline.end()
  })
  it('lets any number listen without a warning', () => {
    const warn = vi.spyOn(process, 'emitWarning')
    const { signal, end } = startDeadline(60_000)

    for (let index = 0; index < 50; index++) signal.addEventListener('abort', () => undefined)

    end()
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })
})

describe('untilAborted', () => {
  it('rejects for a signal that is aborted already', async () => {
    const over = AbortSignal.abort(new Error('over'))

    await expect(untilAborted(silent(), over)).rejects.toThrow('over')
  })
  it('stops listening in any case', async () => {
    const { controller, listeners } = counting()

    await untilAborted(Promise.resolve(), controller.signal)
    await untilAborted(Promise.reject(new Error('x')), controller.signal).catch(() => undefined)

    expect(listeners()).toBe(0)
  })
})

describe('untilCalled', () => {
  it('gives what it is called with, also at once', async () => {
    const { controller, listeners } = counting()
    const queue: ((value: number) => void)[] = []
    const later = untilCalled<number>(controller.signal, (call) => {
      queue.push(call)
      return () => undefined
    })
    const now = untilCalled<number>(controller.signal, (call) => {
      call(2)
      return () => undefined
    })

    queue[0]?.(1)

    expect(await Promise.all([later, now])).toEqual([1, 2])
    expect(listeners()).toBe(0)
  })
  it('leaves the queue when it is aborted, and does not join it after', async () => {
    const controller = new AbortController()
    const leave = vi.fn()
    const join = vi.fn(() => leave)
    const waiting = untilCalled(controller.signal, join)

    controller.abort(new Error('enough'))

    await expect(waiting).rejects.toThrow('enough')
    await expect(untilCalled(controller.signal, join)).rejects.toThrow('enough')
    expect([join.mock.calls.length, leave.mock.calls.length]).toEqual([1, 1])
  })
})
