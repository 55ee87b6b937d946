// A run that is killed while it fetches, seen from the server that it asks.

import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { fingerprint, groundmill, startGroundmill } from '../../helpers/groundmill.ts'
import { respond, startHostileServer, type Answer } from '../../helpers/hostile-server.ts'
import { makeWebDataset, redSquare } from '../../helpers/toy-web.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const KILLS = 20
const ROWS = 700
const PER_SHARD = 60
/** Requests before a kill that may have to be made again: in flight, or not in the journal yet. */
const REPEATED = 60

it(
  `killed ${KILLS} times, a run asks for no committed URL again and repeats at most its last ${REPEATED} requests`,
  { tags: 'long', timeout: 1_800_000 },
  async () => {
    const images = await Promise.all(Array.from({ length: 10 }, (_, index) => redSquare(index)))
    /** The numbers of the requests for each URL. */
    const asks = new Map<string, number[]>()
    let [requests, answers] = [0, 0]
    const answer: Answer = (socket, asked) => {
      const row = Number(asked.path.replace(/\D/g, ''))
      asks.set(asked.path, [...(asks.get(asked.path) ?? []), requests++])
      setTimeout(() => {
        answers++
        const isGone = row % 9 === 4
        respond(
          isGone ? 404 : 200,
          {},
          isGone ? 'gone' : images[row % images.length],
        )(socket, asked)
      }, 20)
    }
    const server = await startHostileServer({ '/x': answer })
    onTestFinished(() => server.close())
    const folder = await temporaryFolder()
    const rows = Array.from({ length: ROWS }, (_, row) => ({ url: server.url(`/x?${row}`) }))
    const config = await makeWebDataset(folder, rows, {
      run: { samplesPerShard: PER_SHARD },
      fetch: { concurrency: 4 },
    })
    const [killed, calm] = [path.join(folder, 'killed'), path.join(folder, 'calm')]
    const start = () => startGroundmill(['run', config, `--out=${killed}`, '--log=json'])
    const committedPaths = async () => {
      const names = await fs.readdir(path.join(killed, 'shards')).catch(() => [])
      const ids = names.filter((name) => !name.startsWith('.')).map(Number)
      return new Set(
        ids.flatMap((id) =>
          Array.from({ length: PER_SHARD }, (_, row) => `/x?${id * PER_SHARD + row}`),
        ),
      )
    }
    let state = 5
    const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32

    const killedAt: number[] = []
    for (let kills = 0; kills < KILLS; kills++) {
      const committed = await committedPaths()
      const before = new Map([...asks].map(([url, times]) => [url, times.length]))
      const { child, ended } = start()
      const goal = answers + 1 + Math.floor(random() * 45)
      const isOver = ended.then(() => true)
      while (answers < goal && !(await Promise.race([isOver, sleep(5, false)])));
      child.kill('SIGKILL')
      killedAt.push(requests)
      expect((await ended).signal).toBe('SIGKILL')

      for (const [url, times] of asks) {
        const now = times.slice(before.get(url) ?? 0)
        if (now.length === 0) continue
        expect(committed.has(url), `${url} was committed`).toBe(false)
        expect(now.length, `${url} in one process`).toBe(1)
      }
    }
    expect(await groundmill('run', config, `--out=${killed}`)).toMatchObject({ code: 0 })

    expect(asks.size).toBe(ROWS)
    for (const [url, numbers] of asks) {
      for (const number of numbers.slice(0, -1)) {
        const kill = killedAt.find((at) => at > number) ?? Infinity
        expect(kill - number, `${url} was lost`).toBeLessThanOrEqual(REPEATED)
      }
    }
    const repeats = [...asks.values()].reduce((sum, times) => sum + times.length - 1, 0)
    // In flight or between answer and journal: a few per kill, not what the process had fetched.
    expect(repeats).toBeLessThanOrEqual(KILLS * 15)
    const hidden = (await fs.readdir(path.join(killed, 'shards'))).filter((name) =>
      name.startsWith('.'),
    )
    expect(hidden).toEqual([])

    expect(await groundmill('run', config, `--out=${calm}`)).toMatchObject({ code: 0 })
    expect(await fingerprint(killed)).toEqual(await fingerprint(calm))
  },
)
