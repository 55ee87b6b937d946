// What a run survives: SIGKILL at any moment, company, signals, disks that fill up or refuse.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fingerprint, groundmill, startGroundmill } from '../helpers/groundmill.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** The sample at a size at which a shard takes a fraction of a second; 21 shards and a short last one. */
const SETTINGS = [
  '--set=run.samplesPerShard=9',
  '--set=run.storeImages=always',
  '--set=teacher.shortSide=64',
  '--set=teacher.longSide=96',
  '--log=json',
]
const KILLS = 30

const runArguments = (out: string, ...more: string[]) => [
  'run',
  'configs/demo.yaml',
  `--out=${out}`,
  ...SETTINGS,
  ...more,
]

async function exportAll(run: string, to: string): Promise<Record<string, string>> {
  for (const format of ['coco', 'odvg']) {
    const ended = await groundmill('export', run, '--format', format, '--to', path.join(to, format))
    expect(ended).toMatchObject({ code: 0 })
  }
  return fingerprint(to)
}

/** Folders of shards whose names do not begin with a dot, and how many others there are. */
async function shardFolders(run: string): Promise<{ committed: string[]; hidden: string[] }> {
  const names = await fs.readdir(path.join(run, 'shards'))
  return {
    committed: names.filter((name) => !name.startsWith('.')).sort(),
    hidden: names.filter((name) => name.startsWith('.')),
  }
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describe('a run', () => {
  it(
    `killed ${KILLS} times ends with the bytes of a run that was not`,
    { timeout: 400_000 },
    async () => {
      const folder = await temporaryFolder()
      const [calm, killed] = [path.join(folder, 'calm'), path.join(folder, 'killed')]
      expect(await groundmill(...runArguments(calm))).toMatchObject({ code: 0 })
      const random = seeded(20)
      // Spread over start-up, labelling and commits: as long as there is work, kill early.
      let kills = 0
      for (let attempt = 0; kills < KILLS; attempt++) {
        if (attempt >= 3 * KILLS) throw new Error('the program ends before it can be killed')
        const { child, ended } = startGroundmill(runArguments(killed))
        const shards = (await shardFolders(killed).catch(() => ({ committed: [] }))).committed
          .length
        await Promise.race([sleep(100 + random() * (shards < 10 ? 2200 : 1200)), ended])
        child.kill('SIGKILL')
        if ((await ended).signal === 'SIGKILL') kills++
        else await fs.rm(path.join(killed, 'shards/00000'), { recursive: true }) // more work to do
      }

      expect(await groundmill(...runArguments(killed))).toMatchObject({ code: 0 })

      const { committed, hidden } = await shardFolders(killed)
      expect(committed.length).toBeGreaterThanOrEqual(20)
      expect(hidden).toEqual([])
      const [before, after] = [await fingerprint(calm), await fingerprint(killed)]
      expect(after).toEqual(before)
      const exports = [
        await exportAll(calm, path.join(folder, 'calm-export')),
        await exportAll(killed, path.join(folder, 'killed-export')),
      ]
      expect(exports[1]).toEqual(exports[0])
    },
  )

  it('shared by two processes is done once', { timeout: 120_000 }, async () => {
    const folder = await temporaryFolder()
    const [alone, shared] = [path.join(folder, 'alone'), path.join(folder, 'shared')]
    expect(await groundmill(...runArguments(alone, '--limit=60'))).toMatchObject({ code: 0 })

    const both = await Promise.all([
      groundmill(...runArguments(shared, '--limit=60')),
      groundmill(...runArguments(shared, '--limit=60')),
    ])

    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await fingerprint(shared)).toEqual(await fingerprint(alone))
  })

  it('stopped by SIGTERM ends with 143 and resumes', { timeout: 120_000 }, async () => {
    const run = path.join(await temporaryFolder(), 'run')
    const { child, ended } = startGroundmill(runArguments(run, '--set=teacher.shortSide=192'))
    while ((await shardFolders(run).catch(() => ({ committed: [] }))).committed.length === 0) {
      await sleep(50)
    }

    child.kill('SIGTERM')
    const killedAt = performance.now()
    const end = await ended

    expect(end).toMatchObject({ code: 143, signal: null })
    expect(end.stderr).toContain('repeat the command to resume')
    expect(performance.now() - killedAt).toBeLessThan(30_000)
    expect((await shardFolders(run)).hidden).toEqual([])
  })

  it('of another config is refused with the fields that differ', { timeout: 60_000 }, async () => {
    const run = path.join(await temporaryFolder(), 'run')
    expect(await groundmill(...runArguments(run, '--limit=5'))).toMatchObject({ code: 0 })
    const before = await fingerprint(run)

    const other = await groundmill(...runArguments(run, '--limit=6', '--set=image.minSide=33'))

    expect(other.code).toBe(2)
    expect(other.stderr).toContain('config.run.limit: the run has 5, now 6')
    expect(other.stderr).toContain('config.image.minSide')
    expect(await fingerprint(run)).toEqual(before)
  })

  it(
    'says that the disk is full, and resumes when it is not',
    { timeout: 120_000 },
    async (test) => {
      const disk = await mountTmpfs('size=600k')
      if (disk === undefined) return test.skip('cannot mount a small tmpfs here')
      const run = path.join(disk, 'run')
      const full = await groundmill(...runArguments(run))

      expect(full.code).toBe(1)
      expect(full.stderr).toMatch(/the disk is full; free some space/)
      const { committed } = await shardFolders(run)
      execFileSync('mount', ['-o', 'remount,size=64m', disk])
      expect(await groundmill(...runArguments(run))).toMatchObject({ code: 0 })
      expect((await shardFolders(run)).committed.length).toBeGreaterThan(committed.length)
    },
  )

  it('says that a folder is read-only before any work', { timeout: 60_000 }, async (test) => {
    const disk = await mountTmpfs('size=1m,ro')
    if (disk === undefined) return test.skip('cannot mount a read-only tmpfs here')

    const ended = await groundmill(...runArguments(path.join(disk, 'run')))

    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/the file system is read-only; choose another --out/)
    expect(ended.stderr).not.toContain('progress')
  })
})

/** Undefined where mounting is not allowed. */
async function mountTmpfs(options: string): Promise<string | undefined> {
  const folder = await temporaryFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder])
  })
  return folder
}
