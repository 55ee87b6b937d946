// Run folders as `groundmill run` leaves them, without a teacher.

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Candidate, GroundingRow, Phrase } from '../../src/core/types.ts'
import { encodeGroundings } from '../../src/store/groundings.ts'
import { createImagesTar } from '../../src/store/images-tar.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { runIdOf } from '../../src/run/identity.ts'
import { publishManifest, type RunManifest } from '../../src/store/run-manifest.ts'
import type { FileDigest, RunStore } from '../../src/store/run-store.ts'
import { beginShard, publishShard as publish } from '../../src/store/shards.ts'
import { makeCommit } from './commits.ts'

/** A candidate in one line: which phrase, score, then x1, y1, x2, y2. */
export type Boxed = readonly [
  phrase: string,
  score: number,
  ...xyxy: [number, number, number, number],
]

export interface RowSpec extends Partial<Omit<GroundingRow, 'phrases' | 'candidates'>> {
  /** `text` or `text/head/lemma`; found in the caption from left to right. Absent: the last words of the boxes' phrases. */
  readonly phrases?: readonly string[]
  readonly boxes?: readonly Boxed[]
}

/** A 640 x 480 row; phrases and boxes by text, so that a test shows what matters to it. */
export function makeRow({ phrases, boxes = [], ...over }: RowSpec): GroundingRow {
  const caption = over.caption ?? 'a brown dog chases two kites on a windy beach'
  const row = over.row ?? 0
  let from = 0
  const found = (phrases ?? [...new Set(boxes.map(([phrase]) => phrase))]).map((spec): Phrase => {
    const [text, head, lemma] = spec.split('/') as [string, string?, string?]
    const after = caption.indexOf(text, from)
    const start = after === -1 ? caption.indexOf(text) : after
    if (start === -1) throw new Error(`"${text}" is not in "${caption}"`)
    from = start + text.length
    const last = text.split(' ').at(-1)!
    const end = start + text.length
    return { start, end, text, head: head ?? last, lemma: lemma ?? (head ?? last).toLowerCase() }
  })
  const candidates = boxes.map(([phrase, score, x1, y1, x2, y2]): Candidate => {
    const index = found.findIndex(({ text }) => text === phrase)
    if (index === -1) throw new Error(`no phrase "${phrase}"`)
    return { phrase: index, score: Math.fround(score), box: { x1, y1, x2, y2 } }
  })
  const hex = createHash('sha256').update(`image ${row}`).digest('hex')
  return {
    key: String(row).padStart(10, '0'),
    row,
    url: `https://example.org/${row}.jpg`,
    width: 640,
    height: 480,
    format: 'jpg',
    sha256: hex,
    dhash: hex.slice(0, 16),
    ...over,
    caption,
    phrases: found,
    candidates: candidates.sort((a, b) => b.score - a.score),
  }
}

export interface RunSpec {
  readonly rows: readonly GroundingRow[]
  readonly samplesPerShard?: number
  /** Shards that were planned; default: those that the rows fill. */
  readonly plannedShards?: number
  /** By key; absent: images are referenced in place. */
  readonly images?: (row: GroundingRow) => Uint8Array
}

/** Keys become those of the shards; row numbers count from 0. @returns the run folder */
export async function makeRun(folder: string, spec: RunSpec): Promise<string> {
  const { rows, images, samplesPerShard = rows.length } = spec
  const runDir = path.join(folder, 'run')
  await fs.mkdir(runDir)
  const store = createPosixStore(runDir)
  await store.prepare()
  const identity = { config: { run: { samplesPerShard } }, source: { files: ['a'] }, teacher: {} }
  const shardCount = Math.ceil(rows.length / samplesPerShard)
  const manifest: RunManifest = {
    formatVersion: 1,
    runId: runIdOf(identity),
    config: {},
    identity,
    plan: { shards: spec.plannedShards ?? shardCount, rows: rows.length },
    teacher: { id: 'toy-0123', sha256: '01'.repeat(32), defaultScore: 0.5 },
    versions: {},
  }
  await publishManifest(store, manifest)
  for (let id = 0; id < shardCount; id++) {
    const start = id * samplesPerShard
    const mine = rows.slice(start, start + samplesPerShard).map((row, index) => ({
      ...row,
      row: start + index,
      key: String(id).padStart(5, '0') + String(index).padStart(5, '0'),
    }))
    await publishShard(store, id, mine, manifest.runId, images)
  }
  return runDir
}

async function publishShard(
  store: RunStore,
  id: number,
  rows: readonly GroundingRow[],
  runId: string,
  images: RunSpec['images'],
): Promise<void> {
  const attempt = await beginShard(store, { shard: id, version: 1 })
  const files: Record<string, FileDigest> = {}
  const bytes = encodeGroundings(rows, runId)
  files['groundings.parquet'] = await attempt.write('groundings.parquet', bytes)
  if (images !== undefined) {
    const tar = createImagesTar(attempt.append('images.tar'))
    for (const row of rows) await tar.add({ key: row.key, format: row.format, bytes: images(row) })
    files['images.tar'] = await tar.close()
  }
  const start = rows[0]!.row
  const { counts } = makeCommit()
  await publish(
    attempt,
    makeCommit({
      runId,
      shard: id,
      files,
      rows: { start, end: start + rows.length },
      counts: { ...counts, groundings: rows.length },
    }),
  )
}
