import { describe, expect, it, vi } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import { fetchOptionsSchema } from '../../../src/ingest/fetch/options.ts'
import { createRetries, statusError, StatusFailure } from '../../../src/ingest/fetch/retry.ts'

const { signal } = new AbortController()
const url = new URL('http://www.a.test/x')

function retries(over = {}) {
  const deps = {
    circuits: { park: vi.fn() },
    scheduler: { pause: vi.fn() },
    groupOf: (host: string) => host.replace(/^www\./, ''),
    now: () => 1_000_000,
    random: () => 1,
    sleep: vi.fn(async (_ms: number) => undefined),
  }
  const options = fetchOptionsSchema.parse({ retries: 2, retryBaseMs: 100, ...over })
  const withRetries = createRetries(options, deps)
  /** Throws one after another; then there is an image. */
  const run = (...errors: Error[]) =>
    withRetries(
      async () => {
        const error = errors.shift()
        if (error !== undefined) throw error
        return { image: true }
      },
      { url, signal },
    )
  const pauses = () => deps.sleep.mock.calls.map(([ms]) => ms)
  return { ...deps, run, pauses }
}

const failure = (status: number, retryAfter?: string) =>
  new StatusFailure({ status, headers: { 'retry-after': retryAfter }, url }, 1_000_000)

describe('createRetries', () => {
  it('tries again what may pass, later each time', async () => {
    const { run, pauses } = retries()
    const reset = new SampleError('connect_reset', 'ECONNRESET')

    expect(await run(reset, failure(503))).toEqual({ image: true, attempts: 3 })
    expect(pauses()).toEqual([100, 200])
  })
  it('gives up after the last attempt, and says how many there were', async () => {
    const { run } = retries()
    const reset = () => new SampleError('connect_reset', 'ECONNRESET')

    await expect(run(reset(), reset(), reset())).rejects.toMatchObject({
      code: 'connect_reset',
      context: { attempts: 3, host: 'www.a.test' },
    })
  })
  it('does not try again what stays as it is', async () => {
    const { run, sleep } = retries()

    await expect(run(failure(404))).rejects.toMatchObject({
      code: 'http_4xx',
      context: { attempts: 1, httpStatus: 404 },
    })
    expect(sleep).not.toHaveBeenCalled()
  })
  it('waits as long as a server asks, with all of its group', async () => {
    const { run, pauses, scheduler } = retries()

    expect(await run(failure(429, '7'))).toMatchObject({ attempts: 2 })
    expect(pauses()).toEqual([7000])
    expect(scheduler.pause).toHaveBeenCalledWith('a.test', 1_007_000)
  })
  it('leaves a host alone that asks for more than we wait', async () => {
    const { run, circuits, sleep } = retries({ maxRetryAfterMs: 10_000 })

    await expect(run(failure(503, '3600'))).rejects.toMatchObject({ code: 'http_5xx' })
    expect(circuits.park).toHaveBeenCalledWith('www.a.test', 3_600_000)
    expect(sleep).not.toHaveBeenCalled()
  })
  it('passes on at once what is no failure of a row', async () => {
    const { run } = retries()

    await expect(run(new TypeError('a bug'))).rejects.toThrow(TypeError)
  })
  it('stops in a pause when aborted', async () => {
    const { run, sleep } = retries()
    sleep.mockRejectedValue(new Error('enough'))

    await expect(run(failure(503))).rejects.toThrow('enough')
  })
})

describe('statusError', () => {
  it.each([
    [408, 'http_408'],
    [425, 'http_425'],
    [429, 'http_429'],
    [404, 'http_4xx'],
    [500, 'http_5xx'],
    [204, 'body_empty'],
    [206, 'http_invalid'],
    [302, 'http_invalid'],
    [999, 'http_invalid'],
  ])('%i is %s', (status, code) => {
    expect(statusError({ status, headers: {}, url })).toMatchObject({
      code,
      context: { httpStatus: status, host: 'www.a.test' },
    })
  })
})
