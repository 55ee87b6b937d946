import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fingerprint, startGroundmill } from '../helpers/groundmill.ts'
import { respond, startHostileServer, type Answer } from '../helpers/hostile-server.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeWebDataset, redSquare } from '../helpers/toy-web.ts'

const ROWS = 24
const PER_SHARD = 8

/** Row 3 of every 8 is gone; rows 1 and 6 of the first two shards fail until the server is well. */
async function makeRun() {
  const images = await Promise.all(Array.from({ length: 5 }, (_, index) => redSquare(index)))
  const state = { isWell: false, isSilent: false }
  const answer: Answer = (socket, asked) => {
    const row = Number(asked.path.replace(/\D/g, ''))
    const isIll = row < 16 && [1, 6].includes(row % 8)
    if (isIll && state.isSilent) return
    if (row % 8 === 3) respond(404, {}, 'gone')(socket, asked)
    else if (isIll && !state.isWell) respond(row % 2 ? 503 : 429, {}, 'busy')(socket, asked)
    else respond(200, {}, images[row % images.length])(socket, asked)
  }
  const server = await startHostileServer({ '/x': answer })
  onTestFinished(() => server.close())
  const folder = await temporaryFolder()
  const rows = Array.from({ length: ROWS }, (_, row) => ({ url: server.url(`/x?${row}`) }))
  const config = await makeWebDataset(folder, rows, {
    run: { samplesPerShard: PER_SHARD },
    fetch: { retries: 0 },
  })
  const run = path.join(folder, 'run')
  expect(await runMain('run', config, `--out=${run}`)).toMatchObject({ code: 0 })
  return { server, state, folder, config, run }
}

const shardNames = async (run: string) => (await fs.readdir(path.join(run, 'shards'))).sort()

async function retry(run: string, ...more: string[]) {
  const ended = await runMain('retry-failed', run, '--json', ...more)
  expect(ended).toMatchObject({ code: 0 })
  return JSON.parse(ended.stdout) as Record<string, unknown>
}

async function counts(run: string): Promise<unknown> {
  const { stdout } = await runMain('status', run, '--json')
  const { counts, reasons } = JSON.parse(stdout) as { counts: object; reasons: object }
  return { ...counts, reasons }
}

describe('groundmill retry-failed', () => {
  it(
    'recovers rows in a new version, as a run without failures has them',
    { tags: 'long' },
    async () => {
      const { server, state, folder, config, run } = await makeRun()
      const before = await fingerprint(path.join(run, 'shards'))
      expect(await counts(run)).toMatchObject({
        groundings: 17,
        rejects: 7,
        reasons: { http_4xx: 3, http_429: 2, http_5xx: 2 },
      })

      const hosts = await runMain('status', run, '--hosts=5')
      expect(hosts.stdout).toMatch(
        /rows lost by host\n +7  127.0.0.1  http_4xx 3, http_429 2, http_5xx 2/,
      )

      // Nothing has changed: nothing is published.
      expect(await retry(run)).toMatchObject({
        rows: 4,
        recovered: 0,
        shards: [],
        left: { http_429: 2, http_5xx: 2 },
      })
      expect(await fingerprint(path.join(run, 'shards'))).toEqual(before)

      state.isWell = true
      const asked = server.paths().length
      expect(await retry(run)).toMatchObject({ rows: 4, recovered: 4, shards: [0, 1], left: {} })

      expect(server.paths().slice(asked).sort()).toEqual(['/x?1', '/x?14', '/x?6', '/x?9'])
      expect(await shardNames(run)).toEqual(['00000', '00000.v2', '00001', '00001.v2', '00002'])
      const after = await fingerprint(path.join(run, 'shards'))
      expect(after).toMatchObject(before)
      expect(await counts(run)).toMatchObject({
        groundings: 21,
        rejects: 3,
        reasons: { http_4xx: 3 },
      })
      const well = path.join(folder, 'well')
      expect(await runMain('run', config, `--out=${well}`)).toMatchObject({ code: 0 })
      const whole = await fingerprint(path.join(well, 'shards'))
      for (const name of ['groundings.parquet', 'images.tar', 'rejects.jsonl']) {
        expect(after[`00000.v2/${name}`]).toBe(whole[`00000/${name}`])
        expect(after[`00001.v2/${name}`]).toBe(whole[`00001/${name}`])
      }
      const exportOf = async (from: string) => {
        const to = `${from}-odvg`
        const ended = await runMain('export', from, '--format=odvg', `--to=${to}`)
        expect(ended).toMatchObject({ code: 0 })
        return fs.readFile(path.join(to, 'train.jsonl'), 'utf8').catch(() => fingerprint(to))
      }
      expect(await exportOf(run)).toEqual(await exportOf(well))

      // Done: neither of the commands has work, nor asks anybody.
      const end = server.paths().length
      expect(await retry(run)).toMatchObject({ rows: 0, recovered: 0, shards: [] })
      expect(await runMain('run', config, `--out=${run}`)).toMatchObject({ code: 0 })
      expect(server.paths()).toHaveLength(end)
    },
  )

  it('killed half-way leaves the old version valid', { tags: 'long' }, async () => {
    const { server, state, run } = await makeRun()
    const before = await counts(run)
    const names = await shardNames(run)
    state.isSilent = true
    const asked = server.paths().length

    const { child, ended } = startGroundmill(['retry-failed', run])
    while (server.paths().length < asked + 2) await sleep(20)
    child.kill('SIGKILL')
    await ended

    expect((await shardNames(run)).filter((name) => !name.startsWith('.'))).toEqual(names)
    expect(await counts(run)).toEqual(before)
    Object.assign(state, { isSilent: false, isWell: true })
    expect(await retry(run)).toMatchObject({ rows: 4, recovered: 4, shards: [0, 1] })
    expect((await shardNames(run)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it(
    'refuses settings that would change the run, and folders without one',
    { timeout: 400_000 },
    async () => {
      const { run, folder } = await makeRun()

      const other = await runMain('retry-failed', run, '--set=image.minSide=5')
      const none = await runMain('retry-failed', folder)

      expect(other.code).toBe(2)
      expect(other.stderr).toContain('image.minSide')
      expect(none.code).toBe(65)
    },
  )
})
