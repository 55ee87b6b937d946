// A whole run over a server that sends what costs most: bodies without end, images that are as large as
// the limits allow, answers that never come. Memory stays bounded, the run ends, every row has its code.

import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Reject } from '../../src/core/reasons.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { committedShards, shardName } from '../../src/store/shards.ts'
import { startGroundmill } from '../helpers/groundmill.ts'
import {
  drip,
  endless,
  head,
  rawThenClose,
  redirect,
  respond,
  startHostileServer,
  type Answer,
} from '../helpers/hostile-server.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeWebDataset, redSquare } from '../helpers/toy-web.ts'

const OF_EACH = 6
const DEADLINE_MS = 8_000
const MAX_MB = 500

const flat = (width: number, height = width) =>
  sharp({ create: { width, height, channels: 3, background: '#445566' } })

/** Noise tiles, so that the encoder finds little to save. */
async function noisy(side: number) {
  const tile = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 2654435761) >>> 24))
  return sharp(
    await sharp({ create: { width: side, height: side, channels: 3, background: '#000' } })
      .composite([{ input: tile, raw: { width: 64, height: 64, channels: 3 }, tile: true }])
      .raw()
      .toBuffer(),
    { raw: { width: side, height: side, channels: 3 } },
  )
}

type Case = readonly [codes: string, answer: Answer]

async function makeCases(): Promise<Readonly<Record<string, Case>>> {
  const image = async (bytes: Promise<Buffer>) => respond(200, {}, await bytes)
  const small = await redSquare()
  const jpeg = await flat(640, 480).jpeg().toBuffer()
  const zeros = Buffer.alloc(65_536)
  const OK = 'HTTP/1.1 200 OK\r\n'
  return {
    good: ['ok', respond(200, {}, small)],
    // as large as may be
    png: ['ok', await image(flat(7000).png().toBuffer())],
    alpha: ['ok', await image(flat(6000).ensureAlpha(0.5).png().toBuffer())],
    progressive: [
      'ok',
      await image(flat(4000).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer()),
    ],
    webp: ['ok', await image(flat(3800).webp().toBuffer())],
    turned: [
      'ok',
      await image(
        flat(4900)
          .jpeg()
          .withExif({ IFD0: { Orientation: '6' } })
          .toBuffer(),
      ),
    ],
    noise: ['ok', await image((await noisy(3300)).png().toBuffer())],
    padded: ['ok', respond(200, {}, Buffer.concat([jpeg, Buffer.alloc(31 * 2 ** 20)]))],
    // larger
    bomb: ['too_many_pixels', await image(flat(12_000).png().toBuffer())],
    interlaced: ['too_many_pixels', await image(flat(7000).png({ progressive: true }).toBuffer())],
    manyScans: [
      'too_many_pixels',
      await image(flat(6000).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer()),
    ],
    endless: ['body_too_large|deadline', endless(`${OK}\r\n`, Buffer.concat([jpeg, zeros]))],
    declared: ['body_too_large', respond(200, { 'content-length': '99999999999' }, jpeg)],
    inflated: [
      'body_too_large',
      respond(200, { 'content-encoding': 'gzip' }, zlib.gzipSync(Buffer.alloc(50_000_000))),
    ],
    header: ['http_invalid', respond(200, { 'x-big': 'x'.repeat(20_000) })],
    // slow
    silent: ['deadline', () => undefined],
    drip: ['deadline', drip(`${OK}\r\n`, Buffer.concat([jpeg, zeros.subarray(0, 4000)]), 200)],
    // broken
    html: ['not_image', respond(200, {}, '<!DOCTYPE html><html>')],
    cut: ['decode_truncated', respond(200, {}, jpeg.subarray(0, 1500))],
    short: [
      'body_truncated',
      rawThenClose(Buffer.concat([Buffer.from(head(200, { 'content-length': '99999' })), jpeg])),
    ],
    loop: ['redirect_limit', redirect('/loop')],
    inside: ['redirect_blocked', redirect('http://169.254.169.254/latest/meta-data/')],
    busy: ['http_429', respond(429, {})],
  }
}

// Where memory can be told.
describe.runIf(process.platform === 'linux')('a run over a hostile server', () => {
  it('stays within its memory and its deadlines', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    const cases = await makeCases()
    const server = await startHostileServer(
      Object.fromEntries(Object.entries(cases).map(([name, [, answer]]) => [`/${name}`, answer])),
    )
    onTestFinished(() => server.close())
    const names = Array.from({ length: OF_EACH }, () => Object.keys(cases)).flat()
    const rows = names.map((name, index) => ({
      url: server.url(`/${name}${name === 'loop' ? '' : `?${index}`}`),
      caption: `a red square ${index}`,
    }))
    const config = await makeWebDataset(folder, rows, {
      fetch: { deadlineMs: DEADLINE_MS, retries: 0, perHost: 64 },
      run: { samplesPerShard: Math.ceil(rows.length / 3) },
      caption: { minWords: 1 },
    })
    const run = path.join(folder, 'run')

    const started = startGroundmill(['run', config, '--out', run, '--log=json'])
    const peaks = new Map<number, number>()
    const timer = setInterval(() => {
      void peaksOf(started.child.pid!).then((found) => {
        for (const [pid, mb] of found) peaks.set(pid, mb)
      })
    }, 50)
    const ended = await started.ended
    clearInterval(timer)

    expect(ended).toMatchObject({ code: 0 })
    const found = new Map<number, string>()
    for await (const shard of committedShards(createPosixStore(run))) {
      for await (const { row } of shard.rows()) found.set(row, 'ok')
      const file = path.join(run, 'shards', shardName(shard.id), 'rejects.jsonl')
      const text = await fs.readFile(file, 'utf8')
      for (const line of text.split('\n').slice(0, -1)) {
        const { row, code } = JSON.parse(line) as Reject
        found.set(row, code)
      }
    }
    names.forEach((name, row) => {
      expect(`${name}: ${found.get(row)}`).toMatch(new RegExp(`^${name}: (${cases[name]![0]})$`))
    })
    // The run, and the process that checks its images.
    expect(peaks.size).toBe(2)
    for (const mb of peaks.values()) {
      expect(mb).toBeGreaterThan(50)
      expect(mb).toBeLessThan(MAX_MB)
    }
  })
})

/** Peak resident sets in MB, of a process that lives and of those that it has started. */
async function peaksOf(pid: number): Promise<(readonly [number, number])[]> {
  const children = await fs.readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const pids = [pid, ...children.trim().split(' ').filter(Boolean).map(Number)]
  const found = await Promise.all(
    pids.map(async (each) => {
      const status = await fs.readFile(`/proc/${each}/status`, 'utf8').catch(() => '')
      const kb = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]
      return kb === undefined ? [] : [[each, Number(kb) / 1024] as const]
    }),
  )
  return found.flat()
}
