// What every implementation of RunStore must hold. Each test has a run of its own.

import { describe, expect, it } from 'vitest'
import { InputError, SampleError, ShardError } from '../../src/core/errors.ts'
import {
  publishManifest,
  publishPlan,
  readManifest,
  readPlan,
} from '../../src/store/run-manifest.ts'
import type { FetchJournal, RunStore } from '../../src/store/run-store.ts'
import {
  beginShard,
  committedShards,
  findCommit,
  publishShard,
  readCommits,
} from '../../src/store/shards.ts'
import { openUrlDigest } from '../../src/store/url-digest.ts'
import { makeCommit, makeManifest } from '../helpers/commits.ts'

/** One run, as the processes that share it see it. */
export interface SharedRun {
  /** The store of another process. */
  open(): RunStore
  /** Whoever has claimed, begun or half-written something is dead from now on. */
  killAll(): Promise<void>
}

/** Runs the suite. @param make a run that nobody has begun */
export function describeRunStore(name: string, make: () => Promise<SharedRun>): void {
  const begin = async () => {
    const run = await make()
    const store = run.open()
    await store.prepare()
    return { run, store }
  }
  describe(name, () => {
    describe('its files', () => {
      filesTests(begin)
    })
    describe('its shards', () => {
      shardTests(begin)
    })
    describe('what only saves work', () => {
      claimTests(begin)
      journalTests(begin)
    })
  })
}

type Begin = () => Promise<{ readonly run: SharedRun; readonly store: RunStore }>

function filesTests(begin: Begin): void {
  it('publishes a name once, whoever is first', async () => {
    const { run, store } = await begin()
    const contents = Array.from({ length: 8 }, (_, index) => `writer ${index}`)

    const won = await Promise.all(contents.map((content) => run.open().publish('a.txt', content)))

    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await store.read('a.txt')).toBe(contents[won.indexOf(true)])
    expect(await store.list('')).toContain('a.txt')
  })

  it('publishes manifest, plan and key once', async () => {
    const { run, store } = await begin()
    const shards = [
      { id: 0, start: 0, end: 5, cursor: 0 },
      { id: 1, start: 5, end: 8, cursor: { file: 1, position: null } },
    ]
    const other = run.open()
    expect(await readManifest(store)).toBeUndefined()

    await publishPlan(store, 'run', shards)
    await publishPlan(other, 'run', [])
    expect(await publishManifest(store, makeManifest())).toBe(true)
    expect(await publishManifest(other, makeManifest({ runId: 'other' }))).toBe(false)

    expect(await readManifest(other)).toEqual(makeManifest())
    expect(await readPlan(other, 'run')).toEqual(shards)
    const [mine, theirs] = await Promise.all([openUrlDigest(store), openUrlDigest(other)])
    expect(mine('http://a')).toBe(theirs('http://a'))
  })

  it('replaces and removes', async () => {
    const { store } = await begin()

    await store.replace('folder/a', 'one')
    const digest = await store.replace('folder/a', 'two!')

    expect(digest.size).toBe(4)
    expect(await store.read('folder/a')).toBe('two!')
    expect(await store.list('folder')).toEqual(['a'])
    await store.remove('folder/a')
    await store.remove('folder/a')
    expect(await store.read('folder/a')).toBeUndefined()
  })

  it('reads whole files and exact ranges', async () => {
    const { store } = await begin()
    await store.publish('digits', '0123456789')
    const file = await store.open('digits')
    const read = async (start: number, end: number) =>
      Buffer.from(await file.read(start, end)).toString()

    expect(file.size).toBe(10)
    expect(file.address).toContain('digits')
    expect(await Promise.all([read(0, 10), read(3, 5), read(10, 10)])).toEqual([
      '0123456789',
      '34',
      '',
    ])
    await expect(file.read(8, 11)).rejects.toThrow(/ends at byte 10/)
    await file.close()
    await expect(store.open('none')).rejects.toThrow(InputError)
    expect(await store.read('none')).toBeUndefined()
    expect(await store.read('digits/none')).toBeUndefined()
    expect(await store.list('none')).toEqual([])
  })

  it('keeps notes in their order', async () => {
    const { run, store } = await begin()

    await store.note('notes', 'one')
    await run.open().note('notes', 'two')

    expect(await store.read('notes')).toBe('one\ntwo\n')
  })
}

async function publish(store: RunStore, shard: number, host: string, version = 1) {
  const attempt = await beginShard(store, { shard, version })
  await attempt.write('who', host)
  const { stats } = makeCommit()
  return publishShard(attempt, makeCommit({ shard, version, stats: { ...stats, host } }))
}

function shardTests(begin: Begin): void {
  it('lets one of many attempts win, with its own files', async () => {
    const { run, store } = await begin()
    const hosts = Array.from({ length: 12 }, (_, index) => `host-${index}`)

    const won = await Promise.all(hosts.map((host) => publish(run.open(), 0, host)))

    expect(won.filter(Boolean)).toHaveLength(1)
    const winner = hosts[won.indexOf(true)]
    expect((await findCommit(store, 0))?.stats.host).toBe(winner)
    expect(await store.read('shards/00000/who')).toBe(winner)
    expect(await store.list('shards')).toEqual(['00000'])
  })

  it('shows nothing of an attempt before it is published, nor when it is discarded', async () => {
    const { run, store } = await begin()
    const attempt = await beginShard(store, { shard: 3, version: 1 })
    await attempt.write('a', 'x')
    const seen = async () => [
      await readCommits(run.open()),
      await findCommit(run.open(), 3),
      await run.open().list('shards'),
    ]

    expect(await seen()).toEqual([[], undefined, []])
    await attempt.discard()
    expect(await seen()).toEqual([[], undefined, []])
  })

  it('keeps what an attempt has appended, renamed and removed', async () => {
    const { run, store } = await begin()
    const attempt = await beginShard(store, { shard: 0, version: 1 })
    const pieces = Array.from({ length: 50 }, (_, index) => Buffer.alloc(40_000, index))
    const growing = attempt.append('long.part')
    for (const piece of pieces) {
      growing.append([piece.subarray(0, 9), piece.subarray(9)]).catch(() => undefined)
      await growing.room()
    }
    await growing.close()
    await attempt.append('nothing').close() // makes no file
    await attempt.write('long', 'in the way')
    await attempt.write('gone', '')
    const read = await attempt.open('long.part')
    const [first] = await read.read(40_000, 40_001)
    await read.close()

    await attempt.rename('long.part', 'long')
    await attempt.remove('gone')
    expect(await publishShard(attempt, makeCommit({ shard: 0 }))).toBe(true)

    expect(first).toBe(1)
    expect((await store.list('shards/00000')).sort()).toEqual(['commit.json', 'long'])
    const file = await run.open().open('shards/00000/long')
    expect(Buffer.concat(pieces).equals(await file.read(0, file.size))).toBe(true)
    await file.close()
  })

  it('gives the newest version of each shard, by id', async () => {
    const { store } = await begin()
    for (const id of [100_000, 2, 0]) await publish(store, id, 'first')
    await publish(store, 2, 'second', 2)
    const wanted = [
      [0, 'first'],
      [2, 'second'],
      [100_000, 'first'],
    ]

    const opened: unknown[] = []
    for await (const { id, commit } of committedShards(store)) opened.push([id, commit.stats.host])
    const commits = await readCommits(store)

    expect(opened).toEqual(wanted)
    expect(commits.map(({ shard, stats }) => [shard, stats.host])).toEqual(wanted)
    expect((await findCommit(store, 2))?.version).toBe(2)
  })

  it('takes no broken record for a commit', async () => {
    const { store } = await begin()
    await publish(store, 0, 'host')
    const attempt = await beginShard(store, { shard: 1, version: 1 })
    await attempt.publish('{"formatVersion": 1')
    const damaged: number[] = []

    const commits = await readCommits(store, (shard) => damaged.push(shard))

    expect(commits.map(({ shard }) => shard)).toEqual([0])
    expect(damaged).toEqual([1])
    await expect(readCommits(store)).rejects.toThrow(/00001\/commit\.json does not parse; remove/)
    await expect(findCommit(store, 1)).rejects.toThrow(InputError)
  })

  it('publishes no record whose rows do not add up', async () => {
    const { store } = await begin()
    const attempt = await beginShard(store, { shard: 1, version: 1 })
    const { counts } = makeCommit()
    const wrong = makeCommit({ shard: 1, counts: { ...counts, rejects: 1 } })

    await expect(publishShard(attempt, wrong)).rejects.toThrow(ShardError)

    expect(await store.list('shards')).toEqual([])
  })
}

function claimTests(begin: Begin): void {
  it('gives a claim to one holder at a time', async () => {
    const { run, store } = await begin()

    const release = await store.claim('shards/00000')
    expect(release).toBeDefined()
    expect(await run.open().claim('shards/00000')).toBeUndefined()
    const other = await run.open().claim('shards/00001')
    expect(other).toBeDefined()
    await release!()

    const again = await run.open().claim('shards/00000')
    expect(again).toBeDefined()
    expect(await store.list('shards')).toEqual([])
    await Promise.all([again!(), other!()])
  })

  it('gives the claim of a dead process to one of many', async () => {
    const { run, store } = await begin()
    await store.claim('shards/00000')
    await run.killAll()

    const claims = await Promise.all(
      Array.from({ length: 6 }, () => run.open().claim('shards/00000')),
    )

    const held = claims.filter((release) => release !== undefined)
    expect(held.length).toBeLessThanOrEqual(1)
    const late = held[0] ?? (await run.open().claim('shards/00000'))
    expect(late).toBeDefined()
    await late!()
  })

  it('sweeps what dead processes have begun, and nothing else', async () => {
    const { run, store } = await begin()
    await publish(store, 0, 'committed')
    await store.publish('kept', '')
    const dead = await beginShard(store, { shard: 1, version: 1 })
    await dead.write('a', '')
    await store.claim('shards/00001')
    await run.killAll()
    const alive = await beginShard(store, { shard: 2, version: 1 })
    await alive.write('a', '')
    const release = await store.claim('shards/00002')

    await run.open().sweep(['', 'shards'])

    expect(await run.open().claim('shards/00002')).toBeUndefined()
    const again = await run.open().claim('shards/00001')
    expect(again).toBeDefined()
    expect(await publishShard(alive, makeCommit({ shard: 2 }))).toBe(true)
    await expect(publishShard(dead, makeCommit({ shard: 1 }))).rejects.toThrow()
    expect((await store.list('shards')).sort()).toEqual(['00000', '00002'])
    expect(await store.read('kept')).toBe('')
    await Promise.all([release!(), again!()])
  })
}

async function bodyOf(journal: FetchJournal, url: string): Promise<string | undefined> {
  const found = journal.find(url)
  if (found === undefined || 'error' in found) return undefined
  return Buffer.from(await found.read()).toString()
}

function journalTests(begin: Begin): void {
  const of = { shard: 7, version: 1 }

  it('gives the next attempt what a killed one has fetched', async () => {
    const { run, store } = await begin()
    const first = await store.openJournal(of)
    await first.add('http://a/1', Buffer.from('one'))
    await first.add('http://a/2', new SampleError('http_4xx', 'HTTP 404', { httpStatus: 404 }))
    await run.killAll() // and not closed

    await run.open().sweep(['', 'shards'])
    const second = await run.open().openJournal(of)

    expect(await bodyOf(second, 'http://a/1')).toBe('one')
    expect(second.find('http://a/2')).toMatchObject({ error: { code: 'http_4xx' } })
    expect(second.find('http://a/3')).toBeUndefined()
    await first.close()
    await second.remove()
    const third = await run.open().openJournal(of)
    expect(third.find('http://a/1')).toBeUndefined()
    await third.close()
  })

  it('removes the journals of versions that are committed', async () => {
    const { store } = await begin()
    for (const version of [1, 2]) {
      const journal = await store.openJournal({ ...of, version })
      await journal.add('http://a/1', Buffer.from('one'))
      await journal.close()
    }

    await store.removeOldJournals([of])

    const left = await Promise.all([1, 2].map((version) => store.openJournal({ ...of, version })))
    expect(await Promise.all(left.map((journal) => bodyOf(journal, 'http://a/1')))).toEqual([
      undefined,
      'one',
    ])
    await Promise.all(left.map((journal) => journal.close()))
  })
}
