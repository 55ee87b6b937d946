import { afterEach, describe, expect, it } from 'vitest'
import { createPool, PoolClosed, type Pool, type PoolOptions } from '../../src/system/pool.ts'
import { WorkerDied } from '../../src/system/worker.ts'
import { echoThread } from './echo.ts'

let open: Pool<string, string> | undefined
afterEach(async () => {
  await open?.close()
  open = undefined
})

/** Of threads that answer with their own number and the request, after "for ever" never. */
function poolOf(over: Partial<PoolOptions<string, string>>): Pool<string, string> {
  let started = 0
  open = createPool({
    name: 'the pool',
    count: 1,
    each: 1,
    start: () => echoThread(String(started++)),
    ...over,
  })
  return open
}

const signal = new AbortController().signal
const FOR_EVER = 'for ever'

describe('createPool', { timeout: 120_000 }, () => {
  it('asks whoever has least to do', async () => {
    const pool = poolOf({ count: 3, each: 2 })

    const replies = await Promise.all(Array.from({ length: 6 }, () => pool.run('wait')))

    expect(replies.map((reply) => reply[0]).sort()).toEqual(['0', '0', '1', '1', '2', '2'])
  })
  it('starts no more workers than it needs', async () => {
    const pool = poolOf({ count: 3 })

    expect([await pool.run('a'), await pool.run('b')]).toEqual(['0 a', '0 b'])
  })
  it('starts workers ahead', async () => {
    let started = 0
    const pool = poolOf({ count: 3, start: () => echoThread(String(started++)) })

    await pool.start(2)

    expect(started).toBe(2)
    expect(await pool.run('a')).toBe('0 a')
  })
  it('replaces a worker that died, and does not ask again by itself', async () => {
    const pool = poolOf({})

    await expect(pool.run('die')).rejects.toThrow(WorkerDied)

    expect(await pool.run('a')).toBe('1 a')
  })
  it('stops waiting when aborted; whoever waits behind is served', async () => {
    const pool = poolOf({})
    const controller = new AbortController()
    const first = pool.run('wait', { signal: controller.signal })
    const behind = pool.run('b', { signal: controller.signal })
    const other = pool.run('c', { signal })

    controller.abort(new Error('enough'))

    await expect(first).rejects.toThrow('enough')
    await expect(behind).rejects.toThrow('enough')
    expect(await other).toBe('0 c')
  })
  it('ends a worker that is blocked when it closes', async () => {
    const pool = poolOf({})
    const blocked = pool.run(FOR_EVER)
    blocked.catch(() => undefined)
    await pool.start()

    await pool.close()

    await expect(blocked).rejects.toThrow(PoolClosed)
    await expect(pool.run('late')).rejects.toThrow('the pool is closed')
  })
  it('lets workers finish before they end, if it is to', async () => {
    const pool = poolOf({ drainMs: 60_000 })
    const asked = pool.run('wait')
    await pool.start()

    await pool.close()

    expect(await asked).toBe('0 wait')
  })
  it('ends a blocked worker after the time it has to finish', async () => {
    const pool = poolOf({ drainMs: 200 })
    const blocked = pool.run(FOR_EVER)
    blocked.catch(() => undefined)
    await pool.start()

    await pool.close()

    await expect(blocked).rejects.toThrow('closed')
  })
})
