import { describe, expect, it } from 'vitest'
import { guard, type Check } from '../../src/doctor/check.ts'
import { withDeadline } from '../../src/system/deadline.ts'

const { signal } = new AbortController()
const limits = { check: 'disk', limitMs: 60_000, signal }
const never = () => new Promise<Check>(() => undefined)
const silent = 'something that this reads does not answer'

describe('guard', () => {
  it('passes on what the check found', async () => {
    const found: Check = { check: 'disk', status: 'warn', detail: '1 GB', advice: 'make room' }

    expect(await guard(limits, () => Promise.resolve(found))).toBe(found)
  })

  it('has found something if the check throws', async () => {
    expect(await guard(limits, () => Promise.reject(new Error('no such folder')))).toEqual({
      check: 'disk',
      status: 'fail',
      detail: 'no such folder',
    })
  })

  it('says what it does not know in time, and ends the check', async () => {
    let inside: AbortSignal | undefined
    const found = await guard({ ...limits, limitMs: 10 }, (within) => {
      inside = within
      return never()
    })

    expect(found).toEqual({
      check: 'disk',
      status: 'fail',
      detail: 'not done in 0.01 s',
      advice: silent,
    })
    expect(inside?.aborted).toBe(true)
  })

  it('says the time that a part of the check had', async () => {
    const found = await guard(limits, (within) => withDeadline(20, within, never))

    expect(found).toMatchObject({ detail: 'not done in 0.02 s', advice: silent })
  })
})
