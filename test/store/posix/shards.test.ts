import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  beginAttempt,
  createShardsFolder,
  findCommit,
  readCommits,
  readCommittedShards,
} from '../../../src/store/posix/shards.ts'
import { makeCommit } from '../../helpers/commits.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

async function newRun(): Promise<string> {
  const runDir = await temporaryFolder()
  await createShardsFolder(runDir)
  return runDir
}

async function publish(runDir: string, shard: number, host: string, version = 1): Promise<boolean> {
  const attempt = await beginAttempt(runDir, shard, version)
  await fs.writeFile(path.join(attempt.dir, 'rejects.jsonl'), host)
  const { stats } = makeCommit()
  return attempt.publish(makeCommit({ shard, version, stats: { ...stats, host } }))
}

describe('beginAttempt', () => {
  it('shows nothing of a shard before it is published', async () => {
    const runDir = await newRun()

    const attempt = await beginAttempt(runDir, 3)
    await fs.writeFile(path.join(attempt.dir, 'rejects.jsonl'), '')

    expect(await readCommits(runDir)).toEqual([])
    expect(await findCommit(runDir, 3)).toBeUndefined()
  })

  it('lets one of many attempts win, with its own files', async () => {
    const runDir = await newRun()

    const hosts = Array.from({ length: 12 }, (_, index) => `host-${index}`)
    const won = await Promise.all(hosts.map((host) => publish(runDir, 0, host)))

    expect(won.filter(Boolean)).toHaveLength(1)
    const winner = hosts[won.indexOf(true)]
    expect((await findCommit(runDir, 0))?.stats.host).toBe(winner)
    const rejects = await fs.readFile(path.join(runDir, 'shards/00000/rejects.jsonl'), 'utf8')
    expect(rejects).toBe(winner)
    expect(await fs.readdir(path.join(runDir, 'shards'))).toEqual(['00000'])
  })

  it('takes an empty folder of the same name for no shard', async () => {
    const runDir = await newRun()
    await fs.mkdir(path.join(runDir, 'shards/00000'))

    expect(await findCommit(runDir, 0)).toBeUndefined()
    expect(await publish(runDir, 0, 'late')).toBe(true)
    expect((await findCommit(runDir, 0))?.stats.host).toBe('late')
  })
})

describe('readCommittedShards', () => {
  it('goes by shard id and takes the newest version', async () => {
    const runDir = await newRun()
    for (const id of [100_000, 2, 0]) await publish(runDir, id, 'first')
    await publish(runDir, 2, 'second', 2)

    const seen: [number, string][] = []
    for await (const { id, commit } of readCommittedShards(runDir))
      seen.push([id, commit.stats.host])

    expect(seen).toEqual([
      [0, 'first'],
      [2, 'second'],
      [100_000, 'first'],
    ])
  })

  it('names a record that does not parse and what to do', async () => {
    const runDir = await newRun()
    await publish(runDir, 1, 'host')
    await fs.writeFile(path.join(runDir, 'shards/00001/commit.json'), '{"formatVersion": 1')

    await expect(readCommits(runDir)).rejects.toThrow(/00001\/commit\.json does not parse; remove/)
  })

  it('refuses a record whose rows do not add up', async () => {
    const runDir = await newRun()
    await publish(runDir, 1, 'host')
    const { counts } = makeCommit()
    const wrong = makeCommit({ shard: 1, counts: { ...counts, rejects: 1 } })
    await fs.writeFile(path.join(runDir, 'shards/00001/commit.json'), JSON.stringify(wrong))

    await expect(readCommits(runDir)).rejects.toThrow(/groundings \+ rejects must equal/)
  })
})
