// Repeating the command on a run with many committed shards: how long until it ends, when all are
// committed, or until a shard that is not is labelled. The folder is made with the store's own writers.

import { rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { loadConfig, type Config } from '../../src/config.ts'
import { openSource } from '../../src/ingest/source/source.ts'
import { identifyRun } from '../../src/run/identity.ts'
import { beginRun, planShards } from '../../src/run/open-run.ts'
import { COMMIT_FORMAT } from '../../src/store/commit-record.ts'
import { encodeGroundings } from '../../src/store/groundings.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import type { RunStore } from '../../src/store/run-store.ts'
import { beginShard, GROUNDINGS_FILE, publishShard, REJECTS_FILE } from '../../src/store/shards.ts'
import type { GroundingRow, Shard } from '../../src/core/types.ts'
import { buildProgram, costOf, formatCost, inFolder, runProgram, type Cost } from '../program.ts'
import type { Benchmark } from './benchmark.ts'

const ROWS_PER_SHARD = 10
const TOY = path.join(import.meta.dirname, '../../test/fixtures/teacher/toy')
const CAPTION = 'a red square and a blue dot'

interface Result {
  readonly shards: number
  /** Start-up alone: the program prints its version. */
  readonly start: Cost
  readonly status: Cost
  readonly allCommitted: Cost
  /** One shard of ten rows is left to label, with the toy teacher. */
  readonly oneLeft: Cost
}

export const benchmark: Benchmark<Result> = {
  options: { shards: { type: 'string', default: '10000' } },
  run: (options) =>
    inFolder(async (folder) => {
      const count = Number(options['shards'])
      buildProgram()
      const config = await writeDataset(folder, count)
      const runDir = path.join(folder, 'run')
      await fillRun(await loadConfig(config), runDir)
      const again = ['run', config, '--out', runDir, '--log', 'json']
      const start = costOf(await runProgram(['--version']))
      const status = costOf(await runProgram(['status', runDir]))
      const allCommitted = costOf(await runProgram(again))
      await rm(path.join(runDir, 'shards/00000'), { recursive: true })
      const oneLeft = costOf(await runProgram(again))
      return { shards: count, start, status, allCommitted, oneLeft }
    }),
  format: ({ shards, start, status, allCommitted, oneLeft }) =>
    [
      `a run of ${shards} shards, ${shards - 1} or all of them committed`,
      line('start-up alone (--version)', start),
      line('status', status),
      line('run, nothing left', allCommitted),
      line('run, one shard of 10 rows left', oneLeft),
    ].join('\n'),
}

function line(name: string, cost: Cost): string {
  return `  ${name.padEnd(30)} ${formatCost(cost)}`
}

async function writeDataset(folder: string, shards: number): Promise<string> {
  const source = path.join(folder, 'rows.jsonl')
  const row = `${JSON.stringify({ image: 'missing.png', caption: CAPTION })}\n`
  await writeFile(source, row.repeat(shards * ROWS_PER_SHARD))
  const config = path.join(folder, 'config.yaml')
  const sections = {
    source: { files: source },
    teacher: { model: TOY, provider: 'cpu', threads: 1 },
    run: { samplesPerShard: ROWS_PER_SHARD },
  }
  await writeFile(config, JSON.stringify(sections))
  return config
}

async function fillRun(config: Config, runDir: string): Promise<void> {
  const { signal } = new AbortController()
  if (config.source === undefined) throw new Error('the config has a source')
  const source = await openSource(config.source, signal)
  const run = await identifyRun(config, source)
  const plan = await planShards(config, source, signal)
  const store = createPosixStore(runDir)
  await store.prepare()
  await beginRun(store, run, plan)
  await source.close()
  const limit = pLimit(16)
  await Promise.all(plan.shards.map((shard) => limit(() => commit(store, run.runId, shard))))
}

async function commit(store: RunStore, runId: string, shard: Shard): Promise<void> {
  const rows = Array.from({ length: ROWS_PER_SHARD }, (_, index) => rowOf(shard, index))
  const attempt = await beginShard(store, { shard: shard.id, version: 1 })
  const files = {
    [GROUNDINGS_FILE]: await attempt.write(GROUNDINGS_FILE, encodeGroundings(rows, runId)),
    [REJECTS_FILE]: await attempt.write(REJECTS_FILE, ''),
  }
  await publishShard(attempt, {
    formatVersion: COMMIT_FORMAT,
    runId,
    shard: shard.id,
    version: 1,
    rows: { start: shard.start, end: shard.end },
    files,
    counts: {
      groundings: rows.length,
      rejects: 0,
      phrases: 2 * rows.length,
      candidates: 2 * rows.length,
      droppedPhrases: 0,
    },
    reasons: {},
    stats: {
      host: os.hostname(),
      version: '0.0.0',
      provider: 'cpu',
      startedAt: new Date(Date.UTC(2026, 0, 1) + shard.id * 1000).toISOString(),
      seconds: 1,
      stageSeconds: { phrases: 0.1, images: 0.1, store: 0.1 },
    },
  })
}

function rowOf(shard: Shard, index: number): GroundingRow {
  const phrase = (start: number, end: number) => {
    const text = CAPTION.slice(start, end)
    return { start, end, text, head: text, lemma: text }
  }
  return {
    key: `${shard.id}${index}`,
    row: shard.start + index,
    url: `https://example.org/${shard.start + index}.jpg`,
    caption: CAPTION,
    width: 640,
    height: 480,
    format: 'jpg',
    sha256: '0'.repeat(64),
    dhash: '0'.repeat(16),
    phrases: [phrase(2, 12), phrase(19, 27)],
    candidates: [0, 1].map((index) => ({
      phrase: index,
      score: 0.5,
      box: { x1: 10, y1: 10, x2: 100, y2: 100 },
    })),
  }
}
