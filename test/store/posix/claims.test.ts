import { fork } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { claimPath, sweepFolder } from '../../../src/store/posix/claims.ts'
import type { Owner } from '../../../src/store/posix/owner.ts'
import { createPosixStore } from '../../../src/store/posix/posix-store.ts'
import { beginShard } from '../../../src/store/shards.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

async function newRun(): Promise<string> {
  const runDir = await temporaryFolder()
  await createPosixStore(runDir).prepare()
  return runDir
}

const claimShard = (runDir: string, id: number) => claimPath(path.join(runDir, `shards/0000${id}`))

/** A process id that no process has. */
async function deadPid(): Promise<number> {
  const child = fork('-e', { execArgv: ['-e', ''], stdio: 'ignore' })
  await new Promise((resolve) => child.on('exit', resolve))
  return child.pid!
}

async function writeClaim(runDir: string, owner: Owner): Promise<string> {
  const file = path.join(runDir, 'shards/.00000.claim')
  await fs.writeFile(file, JSON.stringify(owner))
  return file
}

async function makeOld(file: string, ageMs: number): Promise<void> {
  const then = new Date(Date.now() - ageMs)
  await fs.utimes(file, then, then)
}

describe('claimPath', () => {
  it('gives a shard to one holder at a time', async () => {
    const runDir = await newRun()

    const release = await claimShard(runDir, 0)
    expect(release).toBeDefined()
    expect(await claimShard(runDir, 0)).toBeUndefined()
    await release!()

    const again = await claimShard(runDir, 0)
    expect(again).toBeDefined()
    await again!()
  })

  it('takes over from a dead process at once', async () => {
    const runDir = await newRun()
    await writeClaim(runDir, { host: os.hostname(), pid: await deadPid(), token: '00000000' })

    const release = await claimShard(runDir, 0)

    expect(release).toBeDefined()
    await release!()
  })

  it('takes over from an earlier process of the same id, as in a restarted container', async () => {
    const runDir = await newRun()
    await writeClaim(runDir, { host: os.hostname(), pid: process.pid, token: '00000000' })

    const release = await claimShard(runDir, 0)

    expect(release).toBeDefined()
    await release!()
  })

  it('takes over from another machine only when its claim is old', async () => {
    const runDir = await newRun()
    const file = await writeClaim(runDir, { host: 'elsewhere', pid: 1, token: '00000000' })

    expect(await claimShard(runDir, 0)).toBeUndefined()
    await makeOld(file, 120_000)
    const release = await claimShard(runDir, 0)

    expect(release).toBeDefined()
    await release!()
  })

  it('takes over a claim whose writer was killed before it had a name', async () => {
    const runDir = await newRun()
    const file = path.join(runDir, 'shards/.00000.claim')
    await fs.writeFile(file, '')

    expect(await claimShard(runDir, 0)).toBeUndefined()
    await makeOld(file, 10_000)
    const release = await claimShard(runDir, 0)

    expect(release).toBeDefined()
    await release!()
  })
})

describe('sweepFolder', () => {
  it('removes what dead processes of this machine left, and nothing else', async () => {
    const runDir = await newRun()
    const dead = `${os.hostname()}-${await deadPid()}-00000000-0`
    const earlier = `${os.hostname()}-${process.pid}-00000000-0`
    const elsewhere = 'elsewhere-1-00000000-0'
    for (const owner of [dead, earlier, elsewhere]) {
      await fs.mkdir(path.join(runDir, `shards/.00000.attempt-${owner}`))
      await fs.writeFile(path.join(runDir, `.run.json.tmp-${owner}`), '')
    }
    await beginShard(createPosixStore(runDir), { shard: 1, version: 1 })
    const names = await fs.readdir(path.join(runDir, 'shards'))
    const mine = names.find((name) => name.startsWith('.00001.attempt-'))!
    await writeClaim(runDir, { host: os.hostname(), pid: process.pid, token: '00000000' })
    const release = await claimShard(runDir, 7)
    await fs.writeFile(path.join(runDir, 'failures.jsonl'), '')

    await sweepFolder(runDir)
    await sweepFolder(path.join(runDir, 'shards'))

    expect((await fs.readdir(runDir)).sort()).toEqual([
      `.run.json.tmp-${elsewhere}`,
      'failures.jsonl',
      'shards',
    ])
    expect((await fs.readdir(path.join(runDir, 'shards'))).sort()).toEqual(
      [`.00000.attempt-${elsewhere}`, mine, '.00007.claim'].sort(),
    )
    await release!()
  })
})
