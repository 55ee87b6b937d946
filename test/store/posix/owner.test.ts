import { fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { isDead, OWNER, ownerOf, ownName } from '../../../src/store/posix/owner.ts'

describe('ownName', () => {
  it('says whose it is, and comes once', () => {
    const names = [ownName('.a.tmp'), ownName('.a.tmp')]

    expect(names[0]).not.toBe(names[1])
    for (const name of names) expect(ownerOf(name, '.a.tmp')).toEqual(OWNER)
  })
})

describe('ownerOf', () => {
  it('takes a host with dashes and digits apart from what follows', () => {
    const owner = { host: 'node-7-12', pid: 345, token: '0a1b2c3d' }

    expect(ownerOf('.x.attempt-node-7-12-345-0a1b2c3d-6', '.x.attempt')).toEqual(owner)
  })

  it.each(['.x.attempt', '.x.attempt-host', '.x.attempt-host-1-zz-0', '.y.attempt-h-1-00000000-0'])(
    'knows nobody for %s',
    (name) => {
      expect(ownerOf(name, '.x.attempt')).toBeUndefined()
    },
  )
})

describe('isDead', () => {
  it('is certain of this machine alone', async () => {
    const child = fork('-e', { execArgv: ['-e', ''], stdio: 'ignore' })
    await once(child, 'exit')

    expect(isDead(OWNER)).toBe(false)
    expect(isDead({ ...OWNER, token: '00000000' })).toBe(true)
    expect(isDead({ ...OWNER, pid: child.pid! })).toBe(true)
    expect(isDead({ ...OWNER, pid: process.ppid })).toBe(false)
    expect(isDead({ ...OWNER, host: 'elsewhere', pid: child.pid! })).toBe(false)
  })
})
