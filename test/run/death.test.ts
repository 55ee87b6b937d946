// What a run survives: SIGKILL at any moment, company, signals, a teacher that dies, disks that fill up
// or refuse.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { fingerprint, groundmill, startGroundmill, type Started } from '../helpers/groundmill.ts'
import { dyingTeacher } from '../helpers/dying-teacher.ts'
import { mountSmallDisk } from '../helpers/small-disk.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeToyDataset } from '../helpers/toy-dataset.ts'

const ROWS_PER_SHARD = 25
const SHARDS = 22
const SMALL_SHARDS = 8
const KILLS = 32
/** Of the small run, in every `npm test`. */
const FEW_KILLS = 3

/** A dataset, a run on it that nothing happened to, and its fingerprint. */
interface Calm {
  readonly config: string
  readonly run: string
  readonly print: Record<string, string>
}

/** For what is done once. */
let small: Calm

beforeAll(async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'groundmill-'))
  small = await makeCalm(path.join(folder, 'small'), SMALL_SHARDS)
  return () => fs.rm(folder, { recursive: true })
})

/** The last shard is a short one. */
async function makeCalm(folder: string, shards: number): Promise<Calm> {
  const { config } = await makeToyDataset(folder, {
    rows: ROWS_PER_SHARD * shards - 7,
    sections: { run: { samplesPerShard: ROWS_PER_SHARD, storeImages: 'always' } },
  })
  const run = path.join(folder, 'calm')
  expect(await groundmill(...runOf({ config }, run))).toMatchObject({ code: 0 })
  return { config, run, print: await fingerprint(run) }
}

const runOf = ({ config }: Pick<Calm, 'config'>, out: string, ...more: string[]) => [
  'run',
  config,
  '--out',
  out,
  '--log=json',
  ...more,
]

async function namesIn(folder: string): Promise<string[]> {
  return fs.readdir(folder).catch(() => [])
}

/** Folders of shards whose names do not begin with a dot, and the others. */
async function shardFolders(run: string): Promise<{ committed: string[]; hidden: string[] }> {
  const names = await namesIn(path.join(run, 'shards'))
  return {
    committed: names.filter((name) => !name.startsWith('.')).sort(),
    hidden: names.filter((name) => name.startsWith('.')),
  }
}

/** True as soon as the run is there; false if the program has ended before. */
async function until({ ended }: Started, isThere: () => Promise<boolean>): Promise<boolean> {
  let hasEnded = false
  void ended.then(() => (hasEnded = true))
  while (!(await isThere())) {
    if (hasEnded) return false
    await sleep(2)
  }
  return true
}

/** What a kill interrupts, by what it leaves behind. */
type Moment = 'before the plan' | 'between shards' | 'labelling' | 'writing' | 'recording'

async function momentOf(run: string): Promise<Moment> {
  if (!(await namesIn(run)).includes('run.json')) return 'before the plan'
  const { hidden } = await shardFolders(run)
  const attempts = hidden.filter((name) => name.includes('.attempt-'))
  const files = await Promise.all(attempts.map((name) => namesIn(path.join(run, 'shards', name))))
  if (files.some((names) => names.includes('commit.json'))) return 'recording'
  if (files.some((names) => names.includes('groundings.parquet'))) return 'writing'
  return attempts.length > 0 ? 'labelling' : 'between shards'
}

async function exportAll(run: string, to: string): Promise<Record<string, string>> {
  for (const format of ['coco', 'odvg']) {
    const ended = await groundmill('export', run, '--format', format, '--to', path.join(to, format))
    expect(ended).toMatchObject({ code: 0 })
  }
  return fingerprint(to)
}

/** Numerical Recipes' 32-bit generator; uniform in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

interface Killing {
  readonly shards: number
  readonly kills: number
}

/** Kills the run that often, whenever a random moment comes. @returns how often at which moment */
async function killAgainAndAgain(calm: Calm, run: string, { shards, kills }: Killing) {
  const random = seeded(20)
  const moments = new Map<Moment, number>()
  const isIn = (moment: Moment) => async () => (await momentOf(run)) === moment
  let killed = 0
  for (let attempt = 0; killed < kills; attempt++) {
    if (attempt >= 10 * kills) throw new Error('the program ends before it can be killed')
    const { committed } = await shardFolders(run)
    // More to do, so that every attempt has work in it.
    for (const name of committed.slice(2).filter(() => committed.length > shards - 8)) {
      if (random() < 0.6) await fs.rm(path.join(run, 'shards', name), { recursive: true })
    }
    const started = startGroundmill(runOf(calm, run))
    // Start-up takes longest and holds least: most kills wait until it is over.
    const kind = attempt % 8
    if (kind === 7) {
      if (attempt < 3 * 8) await fs.rm(run, { recursive: true, force: true })
      await sleep(200 + random() * 1200)
    } else {
      await until(started, isIn('labelling'))
      const isLate = kind % 2 === 1
      if (isLate) await until(started, isIn(random() < 0.5 ? 'writing' : 'recording'))
      await sleep(random() * (isLate ? 8 : 350))
    }
    started.child.kill('SIGKILL')
    if ((await started.ended).signal !== 'SIGKILL') continue
    killed++
    const moment = await momentOf(run)
    moments.set(moment, (moments.get(moment) ?? 0) + 1)
  }
  return moments
}

describe('a run', () => {
  it(`killed ${FEW_KILLS} times has the bytes of one that was not`, { tags: 'long' }, async () => {
    const run = path.join(await temporaryFolder(), 'run')
    await killAgainAndAgain(small, run, { shards: SMALL_SHARDS, kills: FEW_KILLS })

    expect(await groundmill(...runOf(small, run))).toMatchObject({ code: 0 })

    expect(await fingerprint(run)).toEqual(small.print)
  })

  it(
    `killed ${KILLS} times has the bytes and the exports of one that was not`,
    { tags: 'long' },
    async () => {
      const folder = await temporaryFolder()
      const large = await makeCalm(path.join(folder, 'large'), SHARDS)
      const run = path.join(folder, 'run')
      const moments = await killAgainAndAgain(large, run, { shards: SHARDS, kills: KILLS })
      console.log(`killed at: ${JSON.stringify(Object.fromEntries(moments))}`)
      expect([...moments.keys()]).toEqual(
        expect.arrayContaining(['before the plan', 'labelling', 'writing']),
      )

      expect(await groundmill(...runOf(large, run))).toMatchObject({ code: 0 })

      const { committed, hidden } = await shardFolders(run)
      expect(committed).toHaveLength(SHARDS)
      expect(hidden).toEqual([])
      expect(await fingerprint(run)).toEqual(large.print)
      expect(await exportAll(run, path.join(folder, 'killed'))).toEqual(
        await exportAll(large.run, path.join(folder, 'calm')),
      )
    },
  )

  it('shared by two processes is done once', { tags: 'long' }, async () => {
    const run = path.join(await temporaryFolder(), 'run')

    const both = await Promise.all([
      groundmill(...runOf(small, run)),
      groundmill(...runOf(small, run)),
    ])

    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await fingerprint(run)).toEqual(small.print)
    expect((await shardFolders(run)).hidden).toEqual([])
  })

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    'stopped by %s ends its shards, exits with %i and resumes',
    { tags: 'long' },
    async (signal, code) => {
      const run = path.join(await temporaryFolder(), 'run')
      const started = startGroundmill(runOf(small, run))
      await until(started, async () => (await shardFolders(run)).committed.length > 0)

      const { committed: before } = await shardFolders(run)
      started.child.kill(signal)
      const end = await started.ended

      expect(end).toMatchObject({ code, signal: null })
      expect(end.stderr).toContain('repeat the command to resume')
      const { committed, hidden } = await shardFolders(run)
      expect(hidden).toEqual([])
      expect(committed.length).toBeGreaterThanOrEqual(before.length)
      expect(committed.length).toBeLessThan(SMALL_SHARDS)
      expect(await groundmill(...runOf(small, run))).toMatchObject({ code: 0 })
      expect(await fingerprint(run)).toEqual(small.print)
    },
  )

  it('stopped in a long shard gives it up, and at once', { tags: 'long' }, async () => {
    const run = path.join(await temporaryFolder(), 'run')
    const long = ['run', 'configs/demo.yaml', '--out', run, '--set=run.samplesPerShard=200']
    const started = startGroundmill([...long, '--set=teacher.boxThreads=1', '--log=json'])
    await until(started, async () => (await shardFolders(run)).hidden.length > 1)
    started.child.kill('SIGTERM')

    expect(await started.ended).toMatchObject({ code: 143 })
    expect(await shardFolders(run)).toEqual({ committed: [], hidden: [] })
  })

  it('stopped twice stops at once and resumes', { tags: 'long' }, async () => {
    const run = path.join(await temporaryFolder(), 'run')
    const started = startGroundmill(runOf(small, run))
    await until(started, async () => (await shardFolders(run)).committed.length > 0)
    started.child.kill('SIGTERM')
    await new Promise((resolve) => started.child.stderr?.once('data', resolve))
    started.child.kill('SIGTERM')

    // A shell sees 143 for this too.
    expect(await started.ended).toMatchObject({ code: null, signal: 'SIGTERM' })
    expect(await groundmill(...runOf(small, run))).toMatchObject({ code: 0 })
    expect(await fingerprint(run)).toEqual(small.print)
  })

  it('whose teacher dies says so, and resumes', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    const run = path.join(folder, 'run')
    const dying = await dyingTeacher(folder, path.join(run, 'shards/00003'))

    const end = await startGroundmill(runOf(small, run), dying).ended

    expect(end.code).toBe(1)
    expect(end.stderr).toContain('the thread that runs toy (onnx-worker, provider cpu) died')
    const { committed, hidden } = await shardFolders(run)
    expect(committed.length).toBeLessThan(SMALL_SHARDS)
    expect(hidden).toEqual([])
    expect(await groundmill(...runOf(small, run))).toMatchObject({ code: 0 })
    expect(await fingerprint(run)).toEqual(small.print)
  })

  it('of another config is refused with the fields that differ', async () => {
    const other = await groundmill(
      ...runOf(small, small.run, '--limit=6', '--set=image.minSide=33'),
    )

    expect(other.code).toBe(2)
    expect(other.stderr).toContain('config.run.limit: the run has (not set), now 6')
    expect(other.stderr).toContain('config.image.minSide: the run has 16, now 33')
    expect(await fingerprint(small.run)).toEqual(small.print)
  })

  it('says that the disk is full, and resumes when it is not', { tags: 'long' }, async (test) => {
    const disk = await mountSmallDisk('size=200k')
    if (disk === undefined) return test.skip('cannot mount a small tmpfs here')
    const run = path.join(disk.path, 'run')

    const full = await groundmill(...runOf(small, run))

    expect(full.code).toBe(1)
    expect(full.stderr).toMatch(/the disk is full; free some space/)
    const { committed } = await shardFolders(run)
    expect(committed.length).toBeGreaterThan(0)
    disk.remount('size=64m')
    expect(await groundmill(...runOf(small, run))).toMatchObject({ code: 0 })
    expect(await fingerprint(run)).toEqual(small.print)
  })

  it('says that a folder is read-only before any work', async (test) => {
    const disk = await mountSmallDisk('size=1m,ro')
    if (disk === undefined) return test.skip('cannot mount a read-only tmpfs here')

    const ended = await groundmill(...runOf(small, path.join(disk.path, 'run')))

    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/the file system is read-only; choose another --out/)
    expect(ended.stderr).not.toContain('teacher')
  })
})
